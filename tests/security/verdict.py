"""Which class of its case a judge finds to hold."""
import waiting


def decide(judge, patience):
    """(class that held, None) or (None, why none did). `patience`: seconds, beyond three."""
    reasons = {}
    held = []

    def decided():
        for name in judge.case.classes:
            reasons[name] = getattr(judge, name)()
            if reasons[name] is None:
                held.append(name)
                return True
        return False
    if judge.s.wait(decided, 3.0 * waiting.SLOWDOWN + patience):
        return held[0], None
    return None, "; ".join(f"{k}: {v}" for k, v in reasons.items()) + "; " + judge.saw()

"""What processes hold over time: memory, descriptors, threads."""
import statistics
import threading
import time

# A quarter of the time may be above another by as much before memory counts as growing.
SLACK_KIB, SLACK_SHARE = 6 << 10, 0.08
SLACK_FILES = 40


class Gauges:
    """Samples on a thread; `processes` are harness processes by name."""

    def __init__(self, processes, every):
        self._processes, self._every = processes, every
        self._began = time.monotonic()
        self._stop = threading.Event()
        self.samples = {name: [] for name in processes}  # (seconds, RSS in KiB, descriptors, threads)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        while not self._stop.wait(self._every):
            for name, process in self._processes.items():
                if process.running():
                    self.samples[name].append(
                        (time.monotonic() - self._began, process.rss_kib(), process.open_files(),
                         process.rss_kib("Threads")))

    def quarters(self, name, column):
        """The median of each quarter of the time."""
        values = [sample[column] for sample in self.samples[name]]
        size = max(len(values) // 4, 1)
        return [statistics.median(values[i * size:(i + 1) * size] or values) for i in range(4)]

    def report(self):
        for name, samples in self.samples.items():
            if not samples:
                continue
            for column, what in ((1, "RSS KiB"), (2, "descriptors"), (3, "threads")):
                values = [sample[column] for sample in samples]
                quarters = " ".join(f"{q:.0f}" for q in self.quarters(name, column))
                yield (f"{name}: {what}: first {values[0]}, peak {max(values)}, last {values[-1]}; "
                       f"median of each quarter {quarters}")

    def growth(self):
        """What grew from the second quarter to the last: the first warms up."""
        for name, samples in self.samples.items():
            if len(samples) < 8:
                yield f"{name}: too few samples to judge by: {len(samples)}"
                continue
            _, early, _, late = self.quarters(name, 1)
            if late > early * (1 + SLACK_SHARE) + SLACK_KIB:
                yield f"{name}: memory grew from {early:.0f} to {late:.0f} KiB"
            _, early, _, late = self.quarters(name, 2)
            if late > early + SLACK_FILES:
                yield f"{name}: descriptors grew from {early:.0f} to {late:.0f}"
            _, early, _, late = self.quarters(name, 3)
            if late > early:
                yield f"{name}: threads grew from {early:.0f} to {late:.0f}"

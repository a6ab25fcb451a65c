"""Hot restarts of a FleetTest's only proxy; mixed in before it."""
import process
import waiting


class HotRestarts:
    generation = 0
    running = None  # Who serves; the first proxy to begin with.

    def setUp(self):
        super().setUp()
        if self.running is None:
            type(self).running = self.rig.proxies[0]

    def successor(self, *args, workers=None, env=None, expect=(0,)):
        """The same command line, as an operator would give it."""
        cls = type(self)
        cls.generation += 1
        argv = [*self.rig.proxies[0].argv, "--hot-restart", *args]
        if workers:
            argv[argv.index("--workers") + 1] = str(workers)
        new = process.Process(argv, self.rig.dir, f"generation-{cls.generation}",
                              {**self.rig.proxies[0].env, **(env or {})}, expect=expect)
        self.rig.parts.append(new)
        return new.start()

    def wait_takeover(self, new):
        def took():
            if not new.running():
                raise RuntimeError(f"it ended: {new.tail()}")
            return "took over from the running proxy" in new.output()
        waiting.wait_for("the new process to take over", took)
        type(self).running = new

    def restart(self, **options):
        """The old process, draining, and the new one, serving."""
        old = self.running
        new = self.successor(**options)
        self.wait_takeover(new)
        # The new one may say so before the old one has got round to draining.
        waiting.wait_for("the old process to drain",
                         lambda: "handed over to the new process" in old.output())
        return old, new

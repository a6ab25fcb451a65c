#!/usr/bin/python3
"""A version that kills the proxy twice is not served a third time."""
import unittest  # noqa: F401

import _path  # noqa: F401
import rig


class CrashLoopTest(rig.FleetTest):
    nodes = 2

    @classmethod
    def prepare(cls):
        cls.port = cls.rig.port()

    def version(self, text):
        return rig.document(rig.service(self.port, [
            rig.route("r", path_prefix="/", respond={"status": 200, "body": text})]))

    def served(self, proxy):
        try:
            return self.get("/", at=proxy.host).body.decode()
        except OSError:
            return None

    def await_served(self, proxy, text):
        rig.wait_for(f"{proxy.node} to serve {text}", lambda: self.served(proxy) == text)

    def in_step(self, proxy):
        rig.wait_for(f"{proxy.node} to be in step",
                     lambda: self.rig.ctl.state(proxy.node) == "synced")

    def kill_and_start(self, proxy):
        proxy.kill()
        proxy.start()

    def test_the_third_process_serves_the_version_before(self):
        proxy, other = self.rig.proxies
        self.rig.apply(self.version("good"))
        self.rig.apply(self.version("deadly"))
        self.await_served(proxy, "deadly")
        self.kill_and_start(proxy)
        self.await_served(proxy, "deadly")
        proxy.kill()
        # Nobody has to tell it: the third one starts on the version before by itself.
        self.rig.controller.stop()
        proxy.start()
        self.await_served(proxy, "good")
        self.assertIn("killed this proxy twice", proxy.output())
        self.rig.controller.start()
        rig.wait_for("the controller to hear of it",
                     lambda: self.rig.ctl.state(proxy.node) == "rejected")
        node = self.rig.ctl.node(proxy.node)
        self.assertIn("died 2 times", rig.pick(node, "reason"))
        self.assertIn("died 2 times", self.rig.ctl("status").stdout)
        self.assertEqual(int(rig.pick(node, "snapshot_bytes_sent") or 0), 0)
        self.assertEqual(self.served(proxy), "good")
        self.assertEqual(self.served(other), "deadly", "whom it did not kill")
        # It stays so when the proxy is restarted, cleanly or not.
        proxy.stop()
        proxy.start()
        self.await_served(proxy, "good")
        self.kill_and_start(proxy)
        self.await_served(proxy, "good")
        rig.wait_for("its state", lambda: self.rig.ctl.state(proxy.node) == "rejected")
        rig.wait_for("the other node", lambda: self.rig.ctl.state(other.node) == "synced")
        # Another content is another version; what died is not what it falls back to.
        self.rig.apply(self.version("mended"))
        self.assertEqual([self.served(p) for p in self.rig.proxies], ["mended"] * 2)
        self.in_step(proxy)
        done = self.rig.apply(self.version("deadly"), code=1)
        self.assertIn("died 2 times", done.stdout + done.stderr)
        self.assertEqual([self.served(p) for p in self.rig.proxies], ["mended"] * 2)

    def test_clean_ends_and_later_crashes_do_not_count(self):
        proxy = self.rig.proxies[1]
        self.rig.apply(self.version("calm"))
        for _ in range(4):
            self.await_served(proxy, "calm")
            proxy.stop()
            proxy.start()
        self.await_served(proxy, "calm")
        # One death is an accident; the version is still the one that was new.
        self.kill_and_start(proxy)
        self.await_served(proxy, "calm")
        proxy.stop()
        proxy.start()
        self.await_served(proxy, "calm")
        self.assertNotIn("killed this proxy twice", proxy.output())
        self.in_step(proxy)

    def test_a_version_without_a_predecessor_is_served_whatever_it_did(self):
        self.rig.apply(self.version("only"))
        lonely = self.rig.start_proxy("lonely", "127.0.0.3")
        for _ in range(3):
            self.await_served(lonely, "only")
            self.kill_and_start(lonely)
        self.await_served(lonely, "only")
        self.assertIn("nothing else to serve", lonely.output())
        lonely.stop()
        self.rig.proxies.remove(lonely)


if __name__ == "__main__":
    rig.main()

#!/usr/bin/env python3
"""What shells and man make of soma: completion and manual. Usage: cli_shell_test.py SOMA."""

import re
import shutil
import subprocess
import unittest

from cli_support import Case, main, soma


def complete(*words):
    """What bash offers for the last of the words."""
    line = " ".join(f"'{word}'" for word in words)
    script = soma("--completion", "bash").stdout + (
        f"\nCOMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _soma 2> /dev/null\n"
        'printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True)
    assert done.stderr == "", done.stderr
    return done.stdout.split()


class ShellTest(Case):
    def commands(self):
        page = self.passes("--help").stdout
        return re.findall(r"^  (\w+) ", page, re.M)

    def test_bash_offers_commands_options_values_and_keys(self):
        self.assertEqual(complete("soma", "pred"), ["predict"])
        self.assertEqual(set(complete("soma", "")), {*self.commands(), "--help", "--version"})
        self.assertEqual(complete("soma", "train", "--de"), ["--device"])
        self.assertEqual(complete("soma", "train", "--device", "e"), ["emulator"])
        self.assertEqual(complete("soma", "train", "train.iter"), ["train.iterations="])
        self.assertEqual(complete("soma", "stats", "train.iter"), [])
        self.assertEqual(complete("soma", "train", "--data", ""), [])  # files, by bash itself

    def test_bash_offers_the_options_of_every_page(self):
        for name in self.commands():
            page = self.passes(name, "--help").stdout.split("Example:")[0]
            options = set(re.findall(r"^ +(?:-\w,)?(--[\w-]+)", page, re.M))
            self.assertEqual(set(complete("soma", name, "--")), options, name)

    @unittest.skipUnless(shutil.which("zsh"), "no zsh here")
    def test_zsh_reads_its_script(self):
        script = self.root / "_soma"
        script.write_text(self.passes("--completion", "zsh").stdout)
        done = subprocess.run(["zsh", "-n", script], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_zsh_script_names_everything(self):
        script = self.passes("--completion", "zsh").stdout
        for name in self.commands():
            self.assertIn(f"\n    {name})\n", script)
        self.assertIn("'*--device[where to compute]:value:(auto cpu cuda emulator)'", script)

    def test_another_shell(self):
        self.fails(2, "expected bash or zsh", "--completion", "fish")
        self.fails(2, "expected bash or zsh", "--completion")

    def test_manual_names_everything(self):
        page = self.passes("--manual").stdout
        keys = re.findall(r"^(\w+) = ", self.passes("info", "--keys").stdout, re.M)
        plain = page.replace("\\-", "-")
        for name in self.commands():
            self.assertIn(f".SS soma {name}\n", page)
            for option in re.findall(r"--[a-z-]+", self.passes(name, "--help").stdout):
                self.assertIn(option, plain)
        for key in keys:
            self.assertIn(f".{key}", plain)

    @unittest.skipUnless(shutil.which("groff"), "no groff here")
    def test_groff_finds_no_fault_in_the_manual(self):
        page = self.passes("--manual").stdout
        done = subprocess.run(["groff", "-man", "-ww", "-z", "-Tutf8"], input=page,
                              capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))


if __name__ == "__main__":
    main()

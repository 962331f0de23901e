"""Secrets that are encrypted at rest: files of age (by the age tool), values as SOPS writes them, folders of files."""

import base64
import hashlib
import json
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "components"))
from components import SOPS, need
from flows import World, task, world
import flowtest
import yaml

REVEAL = ("printf '%s' \"$A\" | sha256sum | cut -d' ' -f1 | sed 's/.*/::{\"outputs\":{\"hash\":\"&\"}}::/'")


def shell(name="A"):
    return task("sh", "io.kestra.plugin.scripts.shell.Commands", taskRunner={"type": "io.kestra.plugin.core.runner.Process"},
                env={"A": "{{ secret('%s') }}" % name}, commands=[REVEAL])


def hash_of(text):
    return hashlib.sha256(text.encode()).hexdigest()


def need_age():
    if shutil.which("age") is None or shutil.which("age-keygen") is None:
        flowtest.skip("age is not installed (Debian package age)", is_installable=True)


class Keys:
    """A new identity of age: `file`, `text`, `recipient`."""

    def __init__(self, folder, name="key.txt"):
        need_age()
        self.file = Path(folder) / name
        flowtest.run(["age-keygen", "-o", self.file], check=0)
        self.text = self.file.read_text()
        self.recipient = next(line.split()[-1] for line in self.text.splitlines() if "public key" in line)

    def seal(self, content, *options, recipients=()):
        all_of = [self.recipient, *recipients]
        import subprocess
        return subprocess.run(["age", *options, *[a for r in all_of for a in ("-r", r)]], input=content, capture_output=True,
                              check=True).stdout


def secrets_file(folder, content, name="secrets.yaml", mode=0o600):
    path = Path(folder) / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


def reveal(it, path, env=None, status=0, name="A"):
    it.env = {"SOPS_AGE_KEY": "", "SOPS_AGE_KEY_FILE": "", "XDG_CONFIG_HOME": str(it.folder / "config"), **(env or {})}
    artifact = it.compile([shell(name)])
    done = flowtest.run([flowtest.FLOWRUN, "run", artifact, "--state-dir", it.state, "--output", "json", "--secrets", path],
                        env={**it.env})
    assert done.returncode == status, f"{done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    if status == 0:
        return json.loads(done.stdout)["taskRunList"][0]["outputs"]["vars"]["hash"]
    return done.stdout + done.stderr


# --- age ----------------------------------------------------------------------------------------


def test_a_file_of_age_is_opened_with_keys_from_each_place():
    with world() as folder:
        it = World(folder)
        keys, other = Keys(folder), Keys(folder, "other.txt")
        content = "A: value of a\nnamespaces: {company: {B: other}}\n".encode()
        want = hash_of("value of a")
        plain = secrets_file(folder, keys.seal(content, recipients=[other.recipient]))
        assert reveal(it, plain, {"SOPS_AGE_KEY": keys.text}) == want
        assert reveal(it, plain, {"SOPS_AGE_KEY_FILE": str(other.file)}) == want
        place = it.folder / "config/sops/age/keys.txt"
        place.parent.mkdir(parents=True)
        place.write_text(f"# a comment\n\n{keys.text}")
        assert reveal(it, plain) == want
        armoured = secrets_file(folder, keys.seal(content, "-a"), "armoured.age")
        assert reveal(it, armoured) == want


def test_a_long_file_of_age_has_many_chunks():
    with world() as folder:
        it = World(folder)
        keys = Keys(folder)
        for size in (65536 - 12, 65536 - 11, 65536 - 10, 131072 - 11, 3 * 65536 + 100):
            content = "# " + "x" * (size - 3) + "\nA: value of a\n"
            path = secrets_file(folder, keys.seal(content.encode()))
            assert reveal(it, path, {"SOPS_AGE_KEY": keys.text}) == hash_of("value of a")


def test_a_file_of_age_that_does_not_open_says_why():
    with world() as folder:
        it = World(folder)
        keys, other = Keys(folder), Keys(folder, "other.txt")
        sealed = keys.seal(b"A: value of a\n")
        path = secrets_file(folder, sealed)
        assert "there is no age key" in reveal(it, path, status=2)
        assert "none of the age keys" in reveal(it, path, {"SOPS_AGE_KEY": other.text}, status=2)
        for at in (30, len(sealed) // 2, len(sealed) - 1):
            broken = bytearray(sealed)
            broken[at] ^= 1
            said = reveal(it, secrets_file(folder, bytes(broken)), {"SOPS_AGE_KEY": keys.text}, status=2)
            assert "secrets" in said and "value of a" not in said, said
        said = reveal(it, secrets_file(folder, sealed[:-5]), {"SOPS_AGE_KEY": keys.text}, status=2)
        assert "changed or cut" in said


def test_children_do_not_get_the_key():
    with world() as folder:
        it = World(folder)
        keys = Keys(folder)
        it.env = {"SOPS_AGE_KEY": keys.text.splitlines()[-1]}
        out = it.run(task("sh", "io.kestra.plugin.scripts.shell.Commands", taskRunner={"type": "io.kestra.plugin.core.runner.Process"},
                          commands=["echo '::{\"outputs\":{\"x\":\"'$(env | grep -c SOPS_AGE)'\"}}::'"]))
        assert out["sh"]["vars"]["x"] == "0"


# --- SOPS ---------------------------------------------------------------------------------------


def sops(keys, document, mac_only_encrypted=False, is_clear=lambda path: False):
    """What `sops encrypt` makes of a document."""
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        flowtest.skip("python3-cryptography is not installed", is_installable=True)
    key, hashed = os.urandom(32), hashlib.sha512(hashlib.sha256(b"sops").digest() if mac_only_encrypted else b"")

    def seal(text, beside, kind):
        iv = os.urandom(32)
        sealed = AESGCM(key).encrypt(iv, text.encode(), beside.encode())
        b64 = [base64.b64encode(b).decode() for b in (sealed[:-16], iv, sealed[-16:])]
        return f"ENC[AES256_GCM,data:{b64[0]},iv:{b64[1]},tag:{b64[2]},type:{kind}]"

    def walk(value, path):
        if isinstance(value, dict):
            return {name: walk(item, path + [name]) for name, item in value.items()}
        if isinstance(value, list):
            return [walk(item, path) for item in value]
        kind = {str: "str", bool: "bool", int: "int", float: "float"}[type(value)]
        text = str(value)
        if is_clear(path):
            if not mac_only_encrypted:
                hashed.update(text.encode())
            return value
        hashed.update(text.encode())
        return seal(text, "".join(p + ":" for p in path), kind)

    time = "2026-01-02T03:04:05Z"
    out = walk(document, [])
    mac = seal(hashed.hexdigest().upper(), time, "str")
    out["sops"] = {"age": [{"recipient": keys.recipient, "enc": keys.seal(key, "-a").decode()}], "lastmodified": time, "mac": mac,
                   "version": "3.9.4", **({"mac_only_encrypted": True} if mac_only_encrypted else {})}
    return out


DOCUMENT = {"A": "value of a", "PORT": 5432, "RATIO": 1.5, "ON": True, "LIST": ["one", "two"],
            "NOTE_unencrypted": "clear text", "namespaces": {"company": {"B": "of the company"}}}


def clear(path):
    return path[-1].endswith("_unencrypted")


def test_values_of_sops_are_opened():
    with world() as folder:
        it = World(folder)
        keys = Keys(folder)
        env = {"SOPS_AGE_KEY": keys.text}
        for form, dump in (("yaml", lambda d: yaml.safe_dump(d, sort_keys=False, width=10000)), ("json", lambda d: json.dumps(d, indent=1))):
            for only in (False, True):
                path = secrets_file(folder, dump(sops(keys, DOCUMENT, only, clear)), "s." + form)
                assert reveal(it, path, env) == hash_of("value of a")
                assert reveal(it, path, env, name="PORT") == hash_of("5432")
                assert reveal(it, path, env, name="ON") == hash_of("true")
                assert reveal(it, path, env, name="B") == hash_of("of the company")
                assert reveal(it, path, env, name="NOTE_unencrypted") == hash_of("clear text")


def test_a_document_of_sops_that_was_changed_is_refused():
    with world() as folder:
        it = World(folder)
        keys = Keys(folder)
        env = {"SOPS_AGE_KEY": keys.text}

        def said(change, status=2):
            document = sops(keys, {"A": "value of a", "B": "value of b", "C_unencrypted": "clear"}, is_clear=clear)
            change(document)
            return reveal(it, secrets_file(folder, json.dumps(document)), env, status)

        def swap(d):
            d["A"], d["B"] = d["B"], d["A"]

        def drop(d):
            del d["B"]

        def without_mac(d):
            d["sops"]["mac"] = ""

        def other_key(d):
            d["sops"]["age"] = []

        assert "the value 'A' cannot be decrypted" in said(swap)
        assert "MAC does not fit" in said(drop)
        assert "MAC does not fit" in said(lambda d: d.update({"C_unencrypted": "changed"}))
        assert "MAC does not fit" in said(lambda d: d.update({"D": "put in"}))
        assert "has no MAC" in said(without_mac)
        assert "age recipient" in said(other_key)
        assert said(lambda d: None, 0) == hash_of("value of a")


# --- SOPS, by the tool itself -------------------------------------------------------------------


def by_tool(folder, keys, document, form, rule=None):
    """What the sops program makes of a document; `rule` is more of its creation rule."""
    need(SOPS, "sops")
    place = Path(folder) / "tool"
    place.mkdir(exist_ok=True)
    (place / ".sops.yaml").write_text(json.dumps({"creation_rules": [{"age": keys.recipient, **(rule or {})}]}))
    text = "# a comment\n" + yaml.safe_dump(document, sort_keys=False, allow_unicode=True) if form == "yaml" else json.dumps(document)
    (place / f"plain.{form}").write_text(text)
    return flowtest.run([SOPS, "encrypt", f"plain.{form}"], check=0, cwd=place).stdout


BY_TOOL = {**DOCUMENT, "LINES": "one\ntwo\n", "LETTERS": "é😀 ", "EMPTY": "", "LARGE": 1e30, "SMALL": 1.25e-7, "WHOLE": 1e21, "MINUS": -3,
           "NEGATIVE": -0.001, "DEEP": [{"x": ["y", {"z": 1}]}], "OFF": False}


def test_files_of_the_sops_program_are_opened():
    """With everything encrypted, by a pattern, by what is left in clear, and with a MAC of encrypted values only."""
    with world() as folder:
        it = World(folder)
        keys, other = Keys(folder), Keys(folder, "other.txt")
        env = {"SOPS_AGE_KEY": keys.text}
        rules = [{}, {"encrypted_regex": "^(A|B|LIST)$"}, {"unencrypted_regex": "^(PORT|LARGE|SMALL|WHOLE|NEGATIVE)$"},
                 {"mac_only_encrypted": True, "unencrypted_suffix": "_unencrypted"}, {"age": f"{other.recipient},{keys.recipient}"}]
        for form in ("yaml", "json"):
            for rule in rules:
                path = secrets_file(folder, by_tool(folder, keys, BY_TOOL, form, rule), "s." + form)
                wants = {"A": "value of a", "PORT": "5432", "LETTERS": "é😀 ", "LINES": "one\ntwo\n", "B": "of the company", "ON": "true",
                         "NOTE_unencrypted": "clear text"}
                for name, want in list(wants.items())[:None if flowtest.MODE == "long" else 3]:
                    assert reveal(it, path, env, name=name) == hash_of(want), (form, rule, name)


def test_what_the_sops_program_changes_and_others_must_not():
    with world() as folder:
        it = World(folder)
        keys, new = Keys(folder), Keys(folder, "new.txt")
        path = secrets_file(folder, by_tool(folder, keys, BY_TOOL, "yaml", {"unencrypted_regex": "^SMALL$"}), "s.yaml")
        tool = {"SOPS_AGE_KEY": keys.text}
        flowtest.run([SOPS, "set", path, '["A"]', '"another value"'], check=0, env=tool)
        flowtest.run([SOPS, "rotate", "-i", "--add-age", new.recipient, "--rm-age", keys.recipient, path], check=0, env=tool)
        path.chmod(0o600)
        assert reveal(it, path, {"SOPS_AGE_KEY": new.text}) == hash_of("another value")
        assert "none of the age keys" in reveal(it, path, {"SOPS_AGE_KEY": keys.text}, status=2)
        path.write_text(path.read_text().replace("1.25e-07", "1.26e-07"))
        assert "MAC does not fit" in reveal(it, path, {"SOPS_AGE_KEY": new.text}, status=2)


# --- folders ------------------------------------------------------------------------------------


def test_a_folder_holds_one_file_a_secret():
    with world() as folder:
        it = World(folder)
        place = Path(folder) / "secrets"
        (place / "company").mkdir(parents=True)
        (place / "company.team").mkdir()
        (Path(folder) / "outside").write_text("secret outside")

        def put(name, text, mode=0o600):
            (place / name).write_text(text)
            (place / name).chmod(mode)

        put("A", "top\n")
        assert reveal(it, place, status=2).count("fewer than 4 bytes")
        put("A", "top value\n")
        assert reveal(it, place) == hash_of("top value")
        put("company/A", "of the company")
        assert reveal(it, place) == hash_of("of the company")
        put("company.team/A", "of the team")
        assert reveal(it, place) == hash_of("of the team")
        put("company.team/A", "of the team", 0o644)
        assert "can be read by others" in reveal(it, place, status=2)
        (place / "company.team/A").unlink()
        (place / "company.team/A").symlink_to(Path(folder) / "outside")
        assert "leaves its folder" in reveal(it, place, status=2)
        said = reveal(it, place, name="MISSING", status=2)
        assert "MISSING" in said and str(place) in said


if __name__ == "__main__":
    flowtest.main()

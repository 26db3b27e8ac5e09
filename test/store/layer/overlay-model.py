"""Edits a plain directory and an overlay mount in the same random way, and tells what both then hold.

Runs in a mount namespace of its own. Reads one JSON request a line, answers one JSON line:
  {"plain": DIR, "lowers": [top first], "upper": DIR, "work": DIR, "merged": DIR, "seed": N, "edits": N}
  -> {"plain": [lines], "merged": [lines]}
Without "upper" the layers are only looked at: {"plain": …, "merged": …}. {"look": DIR} -> {"lines": [lines]}.
"""

import ctypes
import hashlib
import json
import os
import random
import shutil
import stat
import sys

libc = ctypes.CDLL(None, use_errno=True)


def mount(target, lowers, upper=None, work=None):
    options = "lowerdir=" + ":".join(lowers) + ",userxattr,index=off,metacopy=off,redirect_dir=nofollow,xino=off"
    if upper is not None:
        options += f",upperdir={upper},workdir={work},volatile"
    if libc.mount(b"overlay", target.encode(), b"overlay", 0, options.encode()) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), options)


def unmount(target):
    if libc.umount2(target.encode(), 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), target)


def paths(root):
    found = []
    for directory, directories, files in os.walk(root):
        directories.sort()
        for name in directories + files:
            found.append(os.path.relpath(os.path.join(directory, name), root))
    return sorted(found)


def look(root):
    """One line a file. Overlay's own marks other than the opaque one are left out."""
    lines, names = [], {}
    for path in paths(root):
        # Names that are there: of files in lower layers overlay also counts the hidden ones.
        status = os.lstat(os.path.join(root, path))
        names.setdefault((status.st_dev, status.st_ino), []).append(path)
    for path in paths(root):
        full = os.path.join(root, path)
        status = os.lstat(full)
        kind = stat.S_IFMT(status.st_mode)
        if kind == stat.S_IFCHR and status.st_rdev == 0:
            lines.append(f"{path} removed")
            continue
        fields = [path, oct(status.st_mode), f"{status.st_uid}:{status.st_gid}", str(status.st_mtime_ns)]
        if kind == stat.S_IFREG:
            with open(full, "rb") as file:
                fields.append(hashlib.sha256(file.read()).hexdigest()[:12])
            same = names[(status.st_dev, status.st_ino)]
            if len(same) > 1:
                fields.append(f"<{same[0]}>")
        if kind == stat.S_IFLNK:
            fields.append(os.readlink(full))
        if kind in (stat.S_IFCHR, stat.S_IFBLK):
            fields.append(str(status.st_rdev))
        for name in sorted(os.listxattr(full, follow_symlinks=False)):
            if name.startswith("user.overlay."):
                continue
            fields.append(f"{name}={os.getxattr(full, name, follow_symlinks=False).hex()}")
        lines.append(" ".join(fields))
    return lines


class Editor:
    """The same edits on both trees; the plain one says what is there."""

    def __init__(self, roots, seed):
        self.roots = roots
        self.random = random.Random(seed)
        self.clock = 1_500_000_000 + (seed % 1000) * 1000

    def time(self):
        self.clock += 1
        return self.clock * 1_000_000_000 + self.random.choice([0, 0, 250_000_000, 999_999_999])

    def existing(self, wanted):
        root = self.roots[0]
        found = [path for path in paths(root) if wanted(os.lstat(os.path.join(root, path)))]
        return self.random.choice(found) if found else None

    def directory(self):
        return self.random.choice([""] + [path for path in paths(self.roots[0]) if os.path.isdir(os.path.join(self.roots[0], path)) and not os.path.islink(os.path.join(self.roots[0], path))])

    def new(self):
        name = self.random.choice("abcdefgh") + self.random.choice(["", "-", "\u00e4", " x"])
        path = os.path.join(self.directory(), name)
        return None if os.path.lexists(os.path.join(self.roots[0], path)) else path

    def touch(self, path, time):
        for root in self.roots:
            os.utime(os.path.join(root, path), ns=(time, time), follow_symlinks=False)

    def touch_parent(self, path):
        parent = os.path.dirname(path)
        if parent != "":
            self.touch(parent, self.time())

    def edit(self):
        kind = self.random.choices(
            ["create", "write", "copy-up", "mode", "same-mode", "owner", "remove", "mkdir", "symlink", "hardlink", "rename", "xattr", "replace", "refill", "special", "touch-one"],
            [8, 4, 3, 2, 3, 2, 6, 5, 2, 3, 3, 2, 3, 3, 1, 2],
        )[0]
        getattr(self, kind.replace("-", "_"))()

    def make_file(self, path):
        content = bytes(self.random.choice([0, 1, 100, 513, 70_000]) * [self.random.randrange(256)])
        for root in self.roots:
            with open(os.path.join(root, path), "wb") as file:
                file.write(content)
        self.touch(path, self.time())
        self.touch_parent(path)

    def create(self):
        path = self.new()
        if path is not None:
            self.make_file(path)

    def alone(self, status):
        # Overlay parts hard links of lower layers when one is changed; a plain directory does not.
        return stat.S_ISREG(status.st_mode) and status.st_nlink == 1

    def write(self):
        path = self.existing(self.alone)
        if path is None:
            return
        content = self.random.randbytes(self.random.randrange(20))
        for root in self.roots:
            with open(os.path.join(root, path), "ab") as file:
                file.write(content)
        self.touch(path, self.time())

    def copy_up(self):
        path = self.existing(self.alone)
        if path is not None:
            for root in self.roots:
                os.close(os.open(os.path.join(root, path), os.O_WRONLY))

    def changeable(self):
        return self.existing(lambda status: stat.S_ISDIR(status.st_mode) or (not stat.S_ISLNK(status.st_mode) and status.st_nlink == 1))

    def mode(self):
        path, mode = self.changeable(), self.random.choice([0o600, 0o755, 0o4711, 0o1777, 0o444])
        if path is not None:
            for root in self.roots:
                os.chmod(os.path.join(root, path), mode)

    def same_mode(self):
        path = self.changeable()
        if path is not None:
            mode = stat.S_IMODE(os.lstat(os.path.join(self.roots[0], path)).st_mode)
            for root in self.roots:
                os.chmod(os.path.join(root, path), mode)

    def owner(self):
        path, uid = self.changeable(), self.random.choice([0, 1000, 70000])
        if path is not None:
            for root in self.roots:
                os.lchown(os.path.join(root, path), uid, uid // 2)

    def touch_one(self):
        path = self.existing(lambda status: stat.S_ISDIR(status.st_mode) or self.alone(status))
        if path is not None:
            self.touch(path, self.time())

    def xattr(self):
        path, name, value = self.existing(lambda status: self.alone(status) or stat.S_ISDIR(status.st_mode)), self.random.choice(["user.a", "user.b"]), self.random.randbytes(4)
        if path is None:
            return
        remove = self.random.random() < 0.3
        for root in self.roots:
            full = os.path.join(root, path)
            if remove and name in os.listxattr(full):
                os.removexattr(full, name)
            elif not remove:
                os.setxattr(full, name, value)

    def delete(self, path):
        for root in self.roots:
            full = os.path.join(root, path)
            if os.path.isdir(full) and not os.path.islink(full):
                shutil.rmtree(full)
            else:
                os.unlink(full)
        self.touch_parent(path)

    def remove(self):
        path = self.existing(lambda status: True)
        if path is not None and (path.count("/") > 0 or self.random.random() < 0.5):
            self.delete(path)

    def make_directory(self, path):
        for root in self.roots:
            os.mkdir(os.path.join(root, path))
            os.chmod(os.path.join(root, path), 0o755)
        self.touch(path, self.time())
        self.touch_parent(path)

    def mkdir(self):
        path = self.new()
        if path is not None:
            self.make_directory(path)

    def symlink(self):
        path, target = self.new(), self.random.choice(["a", "../b", "/etc", "nowhere/x"])
        if path is not None:
            for root in self.roots:
                os.symlink(target, os.path.join(root, path))
            self.touch(path, self.time())
            self.touch_parent(path)

    def hardlink(self):
        source, path = self.existing(self.alone), self.new()
        if source is not None and path is not None:
            for root in self.roots:
                os.link(os.path.join(root, source), os.path.join(root, path))
            self.touch_parent(path)

    def rename(self):
        source, path = self.existing(self.alone), self.new()
        if source is not None and path is not None:
            for root in self.roots:
                os.rename(os.path.join(root, source), os.path.join(root, path))
            self.touch_parent(source)
            self.touch_parent(path)

    def replace(self):
        path = self.existing(lambda status: True)
        if path is not None:
            self.delete(path)
            self.random.choice([self.make_file, self.make_directory])(path)

    def refill(self):
        path = self.existing(lambda status: stat.S_ISDIR(status.st_mode))
        if path is not None:
            self.delete(path)
            self.make_directory(path)
            self.make_file(os.path.join(path, self.random.choice("abc")))

    def special(self):
        path, kind = self.new(), self.random.choice([stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK])
        if path is not None:
            for root in self.roots:
                os.mknod(os.path.join(root, path), kind | 0o600, 0 if kind == stat.S_IFIFO else os.makedev(1, 3))
            self.touch(path, self.time())
            self.touch_parent(path)


def edit_both(request):
    plain, merged = request["plain"], request["merged"]
    mount(merged, request["lowers"], request.get("upper"), request.get("work"))
    try:
        if "upper" in request:
            editor = Editor([plain, merged], request["seed"])
            for _ in range(request["edits"]):
                editor.edit()
        return {"plain": look(plain), "merged": look(merged)}
    finally:
        unmount(merged)


for line in sys.stdin:
    request = json.loads(line)
    answer = {"lines": look(request["look"])} if "look" in request else edit_both(request)
    print(json.dumps(answer), flush=True)

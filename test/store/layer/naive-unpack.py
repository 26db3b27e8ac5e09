# Unpacks a tar as a careless program would: names are put together as strings, and symlinks are followed. Shows that an archive is an attack.
#   naive-unpack.py TAR DIRECTORY
import os
import shutil
import sys
import tarfile

archive, root = sys.argv[1:]


def remove(path):
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        os.unlink(path)


contents = tarfile.open(archive)
for member in contents:
    path = os.path.join(root, member.name)
    parent, name = os.path.split(path)
    if name == ".wh..wh..opq":
        for inner in os.listdir(parent):
            remove(os.path.join(parent, inner))
        continue
    if name.startswith(".wh."):
        remove(os.path.join(parent, name[4:]))
        continue
    os.makedirs(parent, exist_ok=True)
    if member.isdir():
        os.makedirs(path, exist_ok=True)
        os.chmod(path, member.mode)
        os.chown(path, member.uid, member.gid)
    elif member.issym():
        remove(path)
        os.symlink(member.linkname, path)
    elif member.islnk():
        os.link(os.path.join(root, member.linkname), path, follow_symlinks=True)
    elif member.isfifo():
        os.mkfifo(path)
    elif member.ischr():
        os.mknod(path, 0o20666, os.makedev(member.devmajor, member.devminor))
    else:
        with open(path, "wb") as file:
            shutil.copyfileobj(contents.extractfile(member), file)

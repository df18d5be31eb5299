"""Unpacks chosen entries of a wheel (a zip archive) into a folder.

Usage: unpack_wheel.py WHEEL FOLDER PREFIX...

An entry is taken when its path starts with one of the prefixes. Prints "total BYTES" and then "done BYTES" lines;
on an error one line on standard error, and exit code 1. Python's zipfile checks each entry's CRC.
"""

import os
import sys
import zipfile

BLOCK = 4 << 20


def target_of(folder, name):
    """Path for an entry below the folder; an entry that would leave it is refused."""
    root = os.path.realpath(folder)
    path = os.path.realpath(os.path.join(root, name))
    if "\\" in name or os.path.commonpath([root, path]) != root:
        raise ValueError(f"the entry {name!r} would be written outside the folder")
    return path


def main(wheel, folder, prefixes):
    with zipfile.ZipFile(wheel) as archive:
        entries = [entry for entry in archive.infolist() if entry.filename.startswith(tuple(prefixes)) and not entry.is_dir()]
        print("total", sum(entry.file_size for entry in entries), flush=True)
        done = 0
        for entry in entries:
            path = target_of(folder, entry.filename)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with archive.open(entry) as source, open(path, "xb") as destination:
                while block := source.read(BLOCK):
                    destination.write(block)
                    done += len(block)
                    print("done", done, flush=True)
            if entry.external_attr >> 16 & 0o111:
                os.chmod(path, 0o755)


try:
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
except (OSError, ValueError, zipfile.BadZipFile) as error:
    sys.exit(f"error: {error}")

"""Runs a command on a pseudo terminal: terminal.py ROWS COLUMNS COMMAND...

What it draws goes to standard output. Standard input has JSON, one object a line: {"press": "q"} types, {"resize": [ROWS,
COLUMNS]} changes the size. Ends as the command does.
"""
import fcntl
import json
import os
import pty
import select
import struct
import sys
import termios


def set_size(terminal, rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


pid, terminal = pty.fork()
if pid == 0:
    set_size(1, int(sys.argv[1]), int(sys.argv[2]))
    os.execvp(sys.argv[3], sys.argv[3:])

sources, pending = [terminal, 0], b""
while True:
    for source in select.select(sources, [], [])[0]:
        try:
            data = os.read(source, 65536)
        except OSError:  # Linux says so when the last program has left the terminal.
            data = b""
        if source == terminal and data:
            os.write(1, data)
        elif source == terminal:
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            sys.exit(status if status >= 0 else 128 - status)
        elif not data:
            sources.remove(0)
        else:
            *lines, pending = (pending + data).split(b"\n")
            for line in map(json.loads, lines):
                if "press" in line:
                    os.write(terminal, line["press"].encode())
                if "resize" in line:
                    set_size(terminal, *line["resize"])

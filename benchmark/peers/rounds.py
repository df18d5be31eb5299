"""One round for each line on standard input: what it measured goes to standard output, as one line of JSON."""
import json
import sys


def serve(measure, **facts):
    """Tells `facts`, then answers each line with what `measure` returns; ends with the input."""
    print(json.dumps(facts), flush=True)
    for _ in sys.stdin:
        print(json.dumps(measure()), flush=True)

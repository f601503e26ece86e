#!/usr/bin/python3
"""Runs many commands of the unmodified clients without paying for their start each time.

One line of JSON in, {"client", "argv", "env", "input", "timeout"}; one out, {"code", "stdout", "stderr", "seconds"}.
Each command has a process of its own, forked from one in which the client's modules are loaded already, and runs the
very `main` that /usr/bin/openstack, nova or glance run.
"""
import importlib
import json
import os
import signal
import sys
import tempfile
import time

MAINS = {'openstack': 'openstackclient.shell', 'nova': 'novaclient.shell', 'glance': 'glanceclient.shell'}


def preload():
    import openstack  # noqa: F401
    from openstackclient import shell
    ready = shell.OpenStackShell()
    ready.command_manager.load_commands('openstack.cli')
    for group in ('openstack.identity.v3', 'openstack.common'):     # fills the cache of entry points, and their modules
        ready.command_manager.add_command_group(group)
    for words in (['project', 'list'], ['server', 'list'], ['network', 'list'], ['image', 'list']):
        try:
            ready.command_manager.find_command(words)
        except ValueError:
            pass
    for name in ('osc_lib.api.auth', 'keystoneclient.v3.client', 'openstackclient.identity.client', 'prettytable'):
        importlib.import_module(name)


def child(job, out, err):
    signal.alarm(int(job.get('timeout') or 120))
    os.environ.update(job.get('env') or {})
    with tempfile.TemporaryFile() as given:
        given.write((job.get('input') or '').encode())
        given.seek(0)
        for fd, file in ((0, given), (1, out), (2, err)):
            os.dup2(file.fileno(), fd)
    sys.stdin, sys.stdout, sys.stderr = open(0), open(1, 'w'), open(2, 'w', buffering=1)
    code = 1
    try:
        sys.argv = [job['client'], *job['argv']]
        main = importlib.import_module(MAINS[job['client']]).main
        sys.exit(main() if job['client'] != 'openstack' else main(job['argv']))
    except SystemExit as e:
        code = e.code
        if code is not None and not isinstance(code, int):      # as Python itself ends then
            print(code, file=sys.stderr)
            code = 1
    except BaseException:
        import traceback
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code or 0)


def run(job):
    start = time.monotonic()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        pid = os.fork()
        if pid == 0:
            child(job, out, err)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode(errors='replace'))
    return {'code': code, 'stdout': texts[0], 'stderr': texts[1], 'seconds': round(time.monotonic() - start, 3)}


preload()
for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), flush=True)

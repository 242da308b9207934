"""Walks through the docker package for Python. Usage: docker_py.py HOST PART"""
import io
import sys
import tarfile
import threading
import time

import docker
from docker.errors import APIError, ContainerError, ImageNotFound, NotFound
from docker.types import IPAMConfig, IPAMPool, Mount

client = docker.DockerClient(base_url=sys.argv[1], version='auto', timeout=40)
containers = client.containers


def sleeper(**options):
    return containers.run('busybox', 'sleep 600', detach=True, **options)


def fails(kind, call, text=''):
    try:
        call()
    except kind as error:
        assert text in str(error), str(error)
        return
    raise AssertionError('no error')


def run():
    assert containers.run('busybox', 'echo hi', remove=True) == b'hi\n'
    assert containers.run('busybox', 'sh -c "echo $A"', environment=['A=1'], tty=True, remove=True) == b'1\r\n'
    try:
        containers.run('busybox', 'sh -c "echo oops >&2; exit 3"', remove=True)
        raise AssertionError('no error')
    except ContainerError as error:
        assert (error.exit_status, error.stderr) == (3, b'oops\n')


def errors():
    fails(NotFound, lambda: containers.get('nope'), 'No such container: nope')
    fails(ImageNotFound, lambda: client.images.get('nope'))
    fails(NotFound, lambda: client.networks.get('nope'), 'network nope not found')
    fails(NotFound, lambda: client.volumes.get('nope'), 'get nope: no such volume')
    fails(APIError, lambda: containers.run('busybox', ['nope']), 'executable file not found')
    fails(APIError, lambda: containers.list(filters={'bogus': '1'}), "invalid filter 'bogus'")


def exec():
    box = sleeper()
    assert box.exec_run('sh -c "echo o; echo e >&2; exit 4"', demux=True) == (4, (b'o\n', b'e\n'))
    assert box.exec_run(['sh', '-c', 'echo $A; pwd'], environment={'A': 'b'}, workdir='/tmp', tty=True).output == b'b\r\n/tmp\r\n'
    assert b''.join(box.exec_run('sh -c "echo 1; sleep .1; echo 2"', stream=True).output) == b'1\n2\n'
    conversation = box.exec_run('cat', stdin=True, socket=True).output
    conversation._sock.sendall(b'abc\n')
    conversation._sock.shutdown(1)
    assert conversation.read() == b'\x01\0\0\0\0\0\0\x04abc\n'


def attach():
    box = containers.create('busybox', 'sh -c "cat; echo done"', stdin_open=True)
    conversation = box.attach_socket(params={'stdin': 1, 'stream': 1, 'stdout': 1, 'stderr': 1})
    box.start()
    conversation._sock.sendall(b'in\n')
    conversation._sock.shutdown(1)
    assert conversation.read().endswith(b'done\n')
    box.wait()
    assert box.logs() == b'in\ndone\n' and box.logs(tail=1) == b'done\n' and box.logs(stdout=False) == b''
    assert box.attach(logs=True, stream=False) == b'in\ndone\n'
    follow = containers.run('busybox', 'sh -c "for i in 1 2 3; do echo $i; sleep .1; done"', detach=True)
    assert b''.join(follow.logs(stream=True)) == b'1\n2\n3\n'


def wait():
    box = containers.create('busybox', 'sh -c "exit 7"')
    results = {}

    def waiter(condition):
        results[condition] = docker.DockerClient(base_url=sys.argv[1]).api.wait(box.id, 30, condition)

    threads = [threading.Thread(target=waiter, args=(each,)) for each in ('next-exit', 'removed')]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    box.start()
    box.wait()
    box.remove()
    for thread in threads:
        thread.join()
    assert [results[each]['StatusCode'] for each in ('next-exit', 'removed')] == [7, 7], results


def life():
    box = sleeper(name='life', ports={'80/tcp': ('127.0.0.1', None)}, mem_limit='64m', labels={'a': 'b'})
    box.reload()
    assert box.status == 'running' and box.ports['80/tcp'][0]['HostIp'] == '127.0.0.1' and box.image.tags == ['busybox:latest']
    assert box.top(ps_args='-eo pid,args')['Processes'][0][1] == 'sleep 600'
    stats = box.stats(stream=False)
    assert stats['memory_stats']['limit'] == 64 << 20 and 'eth0' in stats['networks'] and stats['pids_stats']['current'] == 1
    stream = box.stats(stream=True, decode=True)
    assert next(stream)['name'] == '/life' and next(stream)['name'] == '/life'
    box.pause()
    box.unpause()
    box.rename('life2')
    box.update(mem_limit='128m', memswap_limit='256m')
    box.exec_run('touch /new')
    assert box.diff() == [{'Path': '/new', 'Kind': 1}]
    box.restart(timeout=0)
    box.stop(timeout=0)
    assert box.wait()['StatusCode'] == 137
    fails(APIError, box.kill, 'is not running')
    box.remove(v=True)


def lists():
    box, idle = sleeper(name='l1', labels={'k': 'v'}), containers.create('busybox', 'true', name='l2')
    names = lambda **options: sorted(each.name for each in containers.list(**options))
    assert names(filters={'name': 'l'}) == ['l1'] and names(all=True, filters={'name': '^/?l[12]$'}) == ['l1', 'l2']
    assert names(all=True, filters={'label': 'k=v'}) == ['l1'] and names(filters={'label': ['k', 'z']}) == []
    assert names(all=True, filters={'status': 'created', 'name': 'l2'}) == ['l2'] and names(filters={'id': box.id[:6]}) == ['l1']
    box.kill()
    assert containers.prune(filters={'label': 'k=v'})['ContainersDeleted'] == [box.id]
    idle.remove()


def networks():
    pool = IPAMPool(subnet='10.215.255.0/28', gateway='10.215.255.14', aux_addresses={'x': '10.215.255.3'})
    net = client.networks.create('pynet', driver='bridge', labels={'a': 'b'}, ipam=IPAMConfig(pool_configs=[pool]))
    one, two = sleeper(network='pynet', name='one'), sleeper(name='two')
    net.connect(two, aliases=['deux'], ipv4_address='10.215.255.10')
    assert sorted(each.name for each in client.networks.get(net.id).containers) == ['one', 'two']
    assert one.exec_run('ping -c1 -w5 deux').exit_code == 0
    assert client.networks.list(names=['pynet'], filters={'label': 'a=b'}) == [net]
    fails(APIError, net.remove, 'has active endpoints')
    net.disconnect(two)
    net.disconnect('one', force=True)
    assert client.networks.prune() == {'NetworksDeleted': ['pynet']}


def volumes():
    volume = client.volumes.create('pyvol', labels={'q': '1'})
    assert client.volumes.list(filters={'label': 'q'}) == [volume] and volume.attrs['Options'] is None
    bind = {'pyvol': {'bind': '/data', 'mode': 'rw'}, '/etc': {'bind': '/e', 'mode': 'ro'}}
    assert containers.run('busybox', 'sh -c "echo x > /data/f; cat /data/f; ls /e/passwd"', volumes=bind, remove=True) == b'x\n/e/passwd\n'
    mounts = [Mount('/m', 'pyvol', type='volume', read_only=True), Mount('/t', None, type='tmpfs', tmpfs_size=1 << 20)]
    box = containers.create('busybox', 'true', mounts=mounts, volumes=['/anonymous'])
    box.start()
    box.wait()
    fails(APIError, volume.remove, 'volume is in use')
    box.remove(v=True)
    assert client.volumes.list() == [volume]
    volume.remove()


def images():
    image = client.images.get('busybox')
    assert image.tag('py/box', '1') and len(image.history()) == 1
    assert client.images.list(filters={'reference': 'py/*'}) == [image] and client.images.list(filters={'dangling': True}) == []
    archive = b''.join(client.images.get('py/box:1').save(named='py/box:1'))
    client.images.remove('py/box:1')
    assert client.images.load(archive)[0].id == image.id
    client.images.remove('py/box:1')
    fails(ImageNotFound, lambda: client.images.remove('py/box:1'), 'No such image: py/box:1')
    assert client.images.prune() == {'ImagesDeleted': None, 'SpaceReclaimed': 0}


def origins():
    older = docker.APIClient(base_url=sys.argv[1], version='1.38')
    dockerfile = b'FROM busybox\nARG v\nRUN echo $v\nVOLUME /data\nCMD top\n'
    for line in older.build(fileobj=io.BytesIO(dockerfile), tag='py/origins', buildargs={'v': '1'}, decode=True):
        assert 'error' not in line, line
    steps = [older.inspect_image(entry['Id']) for entry in older.history('py/origins')[:3]]
    assert [step['ContainerConfig']['Cmd'] for step in steps] == [
        ['/bin/sh', '-c', '#(nop) ', 'CMD ["/bin/sh" "-c" "top"]'],
        ['/bin/sh', '-c', '#(nop) ', 'VOLUME [/data]'],
        ['|1', 'v=1', '/bin/sh', '-c', 'echo $v'],
    ], steps
    assert steps[0]['ContainerConfig']['Volumes'] == {'/data': {}} and steps[0]['ContainerConfig']['Image'] == steps[1]['Id']
    box = containers.create('busybox', 'true', hostname='maker')
    made = older.inspect_image(box.commit('py/origins', 'made').id)
    assert (made['Container'], made['ContainerConfig']['Hostname']) == (box.id, 'maker')
    assert 'ContainerConfig' not in client.images.get('py/origins').attrs
    client.images.remove('py/origins:made')
    client.images.remove('py/origins')


def buildkit():
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode='w') as archive:
        for name, text in ('Dockerfile', b'FROM busybox\nARG v\nCOPY a /a\nRUN test $v = 1\n'), ('a', b'here'):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
    url = client.api._url('/build')
    options = {'version': '2', 't': 'py/kit', 'buildargs': '{"v": "1"}'}
    reply = client.api._post(url, params=options, data=context.getvalue(), headers={'Content-Type': 'application/x-tar'}, stream=True)
    *_, last = client.api._stream_helper(reply, decode=True)
    assert last == {'id': 'moby.image.id', 'aux': {'ID': client.images.get('py/kit').id}}, last
    assert containers.run('py/kit', 'cat /a', remove=True) == b'here'
    client.images.remove('py/kit')
    fails(APIError, lambda: client.api._result(client.api._post(url, params={'version': '2', 'remote': 'client-session'})),
          'needs the session of its client')


def sidecar():
    box = containers.create('busybox', 'sleep 600')
    served = box.commit('py/served', changes=['EXPOSE 80'])
    box.start()
    beside = containers.run('py/served', 'hostname', network_mode=f'container:{box.id}', remove=True)
    assert beside.decode().strip() == box.id[:12], beside
    fails(APIError, lambda: client.api.create_container(
        'busybox', ports=[80], host_config=client.api.create_host_config(network_mode=f'container:{box.id}')), 'conflicting options')
    client.images.remove(served.id)


def elsewhere():
    limits = {'CpuCount': 2, 'CpuPercent': 10, 'SecurityOpt': ['label:level:s0:c100,c200']}
    made = client.api._result(client.api._post_json(client.api._url('/containers/create'), data={
        'Image': 'busybox', 'HostConfig': limits}), True)
    told = ' '.join(made['Warnings'])
    assert all(word in told for word in ('CpuCount', 'CpuPercent', 'label:level:s0:c100,c200')), told
    kept = containers.get(made['Id'])
    assert {name: kept.attrs['HostConfig'][name] for name in limits} == limits
    kept.start()


def events():
    begin = int(time.time())
    containers.run('busybox', 'true', remove=True, name='told')
    seen = [e['Action'] for e in client.events(since=begin, until=int(time.time()) + 1, decode=True, filters={'container': 'told'})
            if e['Type'] == 'container']
    assert seen == ['create', 'start', 'die', 'destroy'] or seen == ['create', 'attach', 'start', 'die', 'destroy'], seen


part = sys.argv[2]
try:
    globals()[part]()
finally:
    for container in containers.list(all=True):
        container.remove(force=True, v=True)
print(f'{part}: fine')

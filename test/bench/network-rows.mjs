// Rows about networks. The programs in the containers are the host's Python: its sockets cost little beside the kernel.
import { spawn } from 'node:child_process';
import { image } from './engine.mjs';

const megabytes = 2000;
const lookupSeconds = 2;
const port = 5001;

const program = {
  sink: `
import socket
server = socket.create_server(('', ${port}))
buffer = bytearray(1 << 20)
while True:
    connection, _ = server.accept()
    while connection.recv_into(buffer): pass
    connection.sendall(b'.')
    connection.close()
`,
  source: `
import socket, sys, time
block = bytes(1 << 20)
began = time.monotonic()
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as connection:
    for _ in range(${megabytes}): connection.sendall(block)
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)
print(len(block) * ${megabytes} / (time.monotonic() - began) / 1e9)
`,
  // Sixteen questions are under way at a time, as those of a busy server are.
  lookups: `
import socket, struct, sys, time
resolver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
resolver.connect(('127.0.0.11', 53))
resolver.settimeout(1)
name = b''.join(bytes([len(part)]) + part for part in sys.argv[1].encode().split(b'.')) + b'\\0'
query = struct.pack('>HHHHHH', 7, 0x100, 1, 0, 0, 0) + name + struct.pack('>HH', 1, 1)
for _ in range(16): resolver.send(query)
answers, began = 0, time.monotonic()
while time.monotonic() - began < ${lookupSeconds}:
    answer = resolver.recv(512)
    if answer[3] & 15 or answer[7] == 0: sys.exit('no address for the name')
    answers += 1
    resolver.send(query)
print(answers / (time.monotonic() - began))
`,
};

const higher = (name, unit, sample) => ({ name, unit, better: 'higher', times: 1, sample });

/** Rows between two containers of a network, one of which publishes a port on the host's loopback. */
export const networkRows = {
  async around(engine) {
    const network = engine.name('net');
    await engine.call('POST', '/networks/create', { json: { Name: network } });
    const name = engine.name('sink');
    const sink = await python(engine, name, network, program.sink, {
      ExposedPorts: { [`${port}/tcp`]: {} },
      PortBindings: { [`${port}/tcp`]: [{ HostIp: '127.0.0.1', HostPort: '' }] },
    });
    const { NetworkSettings } = JSON.parse(await engine.call('GET', `/containers/${sink}/json`));
    return {
      network,
      name,
      published: NetworkSettings.Ports[`${port}/tcp`][0].HostPort,
      async end() {
        await engine.remove(sink);
        await engine.call('DELETE', `/networks/${network}`);
      },
    };
  },
  rows: [
    higher('net_throughput: container to container', 'GB/s', (engine, { network, name }) =>
      inContainer(engine, network, program.source, [name, String(port)]),
    ),
    higher('net_throughput: host to published port', 'GB/s', (engine, { published }) =>
      answerOf('nsenter', ['-t', engine.daemonPid(), '-n', 'python3', '-c', program.source, '127.0.0.1', published]),
    ),
    higher('dns lookups', 'lookups/s', (engine, { network, name }) =>
      inContainer(engine, network, program.lookups, [name]),
    ),
  ],
};

/** Starts a container with the host's Python; it runs when this resolves. */
async function python(engine, name, network, script, { ExposedPorts, PortBindings } = {}, args = []) {
  const json = {
    Image: image,
    Cmd: ['/usr/bin/python3', '-c', script, ...args],
    StopSignal: 'SIGKILL',
    ExposedPorts,
    HostConfig: {
      NetworkMode: network,
      PortBindings,
      Binds: ['/usr', '/lib', '/lib64'].map((folder) => `${folder}:${folder}:ro`),
    },
  };
  const { Id } = JSON.parse(await engine.call('POST', `/containers/create?name=${name}`, { json }));
  await engine.start(Id);
  return Id;
}

/** @returns the number that the program prints in a container of its own */
async function inContainer(engine, network, script, args) {
  const name = engine.name('source');
  const id = await python(engine, name, network, script, {}, args);
  try {
    await engine.call('POST', `/containers/${id}/wait`);
    let said = Buffer.alloc(0);
    await engine.call('GET', `/containers/${id}/logs?stdout=1&stderr=1`, {
      onData(part) {
        said = Buffer.concat([said, part]);
      },
    });
    return numberIn(`${engine.label}: ${name}`, said.subarray(8).toString());
  } finally {
    await engine.remove(id);
  }
}

function answerOf(command, args) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data) => {
        said += data;
      });
    child.on('error', reject);
    child.on('close', () => {
      try {
        resolve(numberIn(command, said));
      } catch (error) {
        reject(error);
      }
    });
  });
}

function numberIn(what, text) {
  const value = Number(text.trim());
  if (text.trim() === '' || Number.isNaN(value)) throw new Error(`${what}: ${text.trim()}`);
  return value;
}

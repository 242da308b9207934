import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net, { type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import type { AuthorizationRequest } from '@gantry/sdk';
import { Guard, refuse } from '../support/authorization-guard';
import { type Attempt, bypassCorpus } from '../support/bypass-corpus';
import { followRecipe } from '../support/certificates';
import { daemonForSuite } from '../support/daemon';
import { refusedStart } from '../support/refused-start';

const folder = mkdtempSync(join(tmpdir(), 'gantry-bypass-'));
followRecipe(folder);
const guard = new Guard('guard', folder);
/** It waits for the plugin as long as the protocol says (P-CALL-5); the other tests run meanwhile. */
let missing: Promise<{ said: string; ms: number }>;
beforeAll(async () => {
  const startedAt = Date.now();
  const args = ['-H', `unix://${join(folder, 'refused.sock')}`, '--authorization-plugin', 'not-there'];
  missing = refusedStart(folder, args).then((said) => ({ said, ms: Date.now() - startedAt }));
  await guard.serve();
});
// Before the daemon is cleared away.
afterAll(() => guard.reset());
const daemon = daemonForSuite({
  config: {
    'plugin-directories': { sockets: folder, specs: [] },
    'authorization-plugins': ['guard'],
    tlsverify: true,
    tlscacert: join(folder, 'ca.pem'),
    tlscert: join(folder, 'server-cert.pem'),
    tlskey: join(folder, 'server-key.pem'),
  },
  args: ['-H', 'tcp://127.0.0.1:0', '--debug'],
  busybox: false,
});
afterAll(async () => {
  await guard.close();
  rmSync(folder, { recursive: true, force: true });
});

let port = 0;
beforeAll(async () => {
  port = await daemon().tcpPort();
});

const transports: Readonly<Record<string, () => Socket>> = {
  'a unix socket': () => net.connect({ path: daemon().socketPath, allowHalfOpen: true }),
  TLS: () => {
    const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((file) => readFileSync(join(folder, file)));
    // Node hands allowHalfOpen on; its types do not know.
    const options = { port, host: '127.0.0.1', ca, cert, key, servername: 'localhost', allowHalfOpen: true };
    return tls.connect(options as tls.ConnectionOptions);
  },
};

/** Sends bytes as they are and reads what comes until nothing more does; what is surely answered is waited for. */
async function send(connect: () => Socket, { bytes, endsEarly }: Attempt, isSure = false): Promise<string> {
  const socket = connect();
  const parts: Buffer[] = [];
  socket.on('error', () => {});
  await new Promise<void>((resolve) => {
    // A kept connection does not end: what was asked for is there when nothing more comes.
    let quiet = setTimeout(resolve, isSure ? 30_000 : 700);
    socket.on('data', (part: Buffer) => {
      parts.push(part);
      clearTimeout(quiet);
      quiet = setTimeout(resolve, 700);
    });
    for (const end of ['end', 'close']) socket.once(end, () => resolve());
    socket.write(bytes, 'latin1');
    if (endsEarly) socket.end();
  });
  socket.destroy();
  return Buffer.concat(parts).toString('latin1');
}

/** The path as the engine reads it: decoded once, without host, query and version. */
function enginePath({ uri }: AuthorizationRequest): string {
  const origin = uri.replace(/^https?:\/\/[^/?#]*/i, '').split('?', 1)[0]!;
  let path = origin;
  try {
    path = decodeURIComponent(origin);
  } catch {
    // The engine refuses it.
  }
  return path.replace(/^\/v[0-9.]+(?=\/)/, '');
}

/** Two ways of judging, each of which must be enough. */
const judges: Readonly<Record<string, (shown: AuthorizationRequest) => boolean>> = {
  'by what is asked for': ({ body }) => {
    try {
      const entries = Object.entries(JSON.parse(body?.toString() ?? '{}'));
      return entries.some(([key, value]) => key.toLowerCase() === 'name' && /^smuggled/.test(String(value)));
    } catch {
      // Not JSON: the engine refuses it as well.
      return false;
    }
  },
  'by the path': (shown) => enginePath(shown) === '/volumes/create',
};

const combinations = Object.keys(transports).flatMap((over) => Object.keys(judges).map((how) => [over, how] as const));

test.each(combinations)('over %s nothing passes that is refused %s', async (over, how) => {
  const letters = [over, how].map((text) => text.replace(/[^a-z]/gi, '').slice(-6)).join('');
  const attempts = bypassCorpus(`smuggled${letters}`);
  guard.judge = (shown) => (judges[how]!(shown) ? refuse('smuggler') : { allow: true });
  const created: string[] = [];
  for (let at = 0; at < attempts.length; at += 90) {
    const batch = attempts.slice(at, at + 90);
    const answers = await Promise.all(batch.map((attempt) => send(transports[over]!, attempt)));
    batch.forEach(({ what }, index) => {
      // Who asks without a body gets a volume with a name of the engine's: only who judges by the path refuses that.
      const isMade = how === 'by the path' ? /^HTTP\/1\.\d 201/m : /^HTTP\/1\.\d 201.*"Name":"smuggled/ms;
      if (isMade.test(answers[index]!)) created.push(what);
      // Whoever is answered is answered in order, and an error says what is wrong.
      const unexplained = /^HTTP\/1\.\d 5(?!01)\d\d.*?\r\n\r\n(?!\{"message":"(request body is larger|plugin guard))/ms;
      if (unexplained.test(answers[index]!)) created.push(`unexplained: ${what}: ${answers[index]!.slice(0, 400)}`);
    });
  }
  expect(created).toEqual([]);
  // The guard goes on refusing: what nobody waits for any more may still be on its way.
  const volumes: { Name: string }[] = (await daemon().api.get('/volumes')).json().Volumes ?? [];
  expect(volumes.filter(({ Name }) => how === 'by the path' || Name.startsWith('smuggled'))).toEqual([]);
  await Promise.all(volumes.map(({ Name }) => daemon().api.delete(`/volumes/${Name}`)));
  expect(daemon().runs).toBe(true);
  expect(daemon().log).not.toMatch(/level=(fatal|panic)|uncaught/i);
});

test('without anybody’s objection the plain request passes, so the attempts are real', async () => {
  guard.reset();
  const [plain] = bypassCorpus('smuggledfine');
  for (const connect of Object.values(transports)) expect(await send(connect, plain!, true)).toMatch(/^HTTP\/1\.1 201/);
  await daemon().api.delete('/volumes/smuggledfine');
});

test.each([
  ['plainly', []],
  ['with an Upgrade header', ['Connection: Upgrade', 'Upgrade: tcp']],
  [
    'as a websocket',
    ['Connection: Upgrade', 'Upgrade: websocket', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: AA=='],
  ],
  ['for HTTP/2', ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__']],
])('every route the daemon has is asked about, %s', async (_how, lines) => {
  await daemon().api.get('/_ping');
  const registered = [...daemon().log.matchAll(/registering route.* method=(\w+) path="?([^"\s]+)/g)];
  const routes = [...new Set(registered.map(([, method, path]) => `${method} ${path!.replace(/\{[^}]*\}/g, 'x')}`))];
  expect(routes.length).toBeGreaterThan(60);
  guard.reset();
  guard.judge = () => refuse('nothing passes');
  const outcomes: [string, string | undefined][] = [];
  for (let at = 0; at < routes.length; at += 50)
    outcomes.push(
      ...(await Promise.all(
        routes.slice(at, at + 50).map(async (route): Promise<[string, string | undefined]> => {
          const connection = lines.length > 0 ? lines : ['Connection: close'];
          const bytes = `${[`${route} HTTP/1.1`, 'Host: x', ...connection].join('\r\n')}\r\n\r\n`;
          const text = await send(transports['a unix socket']!, { what: route, bytes }, true);
          return [route, /^HTTP\/1\.1 (\d+)/.exec(text)?.[1]];
        }),
      )),
    );
  expect(outcomes).toEqual(routes.map((route) => [route, '403']));
  expect(guard.requests.map(({ method, uri }) => `${method} ${uri}`).sort()).toEqual([...routes].sort());
});

test('a plugin that is to judge requests and is not there keeps the daemon from starting (P-AZ-11)', async () => {
  const { said, ms } = await missing;
  expect(said).toMatch(/failed to validate authorization plugin: .*not-there/);
  expect(ms).toBeGreaterThan(10_000);
}, 60_000);

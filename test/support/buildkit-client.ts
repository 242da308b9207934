import http2, {
  type ClientHttp2Session,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import { call, field, grpcFrame, upgradeToHttp2 } from './fake-buildkit';

/** A file the client offers: its text, a directory's `undefined`, or a link. */
export type OfferedFile = string | undefined | { readonly link: string };
/** A client's directories by name, their files by path. */
export type OfferedFiles = Readonly<Record<string, Readonly<Record<string, OfferedFile>>>>;

/** What a build told its client. */
export interface BuildOfClient {
  readonly status: string;
  readonly message: string;
  /** ExporterResponse. */
  readonly response: Readonly<Record<string, string>>;
  /** Details of the error, as text. */
  readonly details: string;
  readonly steps: readonly ClientStep[];
  readonly output: string;
  readonly warnings: readonly string[];
}

/** One step, as it stood last. */
export interface ClientStep {
  readonly digest: string;
  readonly name: string;
  readonly cached: boolean;
  readonly isDone: boolean;
  readonly error: string;
}

interface Field {
  readonly number: number;
  readonly value: number;
  readonly bytes: Buffer;
}

/** What a build gave its client. */
export interface ExportedFiles {
  readonly files: Map<string, { readonly mode: number; readonly link: string; text: string }>;
  bytes: Buffer;
}

/** A client of BuildKit: a session with files and secrets, and calls. */
export class BuildkitClient {
  /** What was exported to the client, by place of the exporter: files, or the bytes of one. */
  readonly taken: ExportedFiles[] = [];
  readonly asked: { readonly directory: string; readonly paths: readonly string[] }[] = [];
  private constructor(
    readonly session: string,
    private readonly lender: ServerHttp2Session,
    readonly caller: ClientHttp2Session,
    private readonly files: OfferedFiles,
  ) {
    lender.on('error', () => {});
    caller.on('error', () => {});
    lender.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, _flags: number, raw: string[]) => {
      stream.on('error', () => {});
      const path = headers[':path'];
      if (path === '/moby.filesync.v1.FileSync/DiffCopy') return this.sendFiles(stream, raw);
      if (path === '/moby.filesync.v1.FileSend/DiffCopy')
        return this.takeFiles(stream, Number(headers['buildkit-attachable-exporter-id']));
      stream.respond({ ':status': 200, 'grpc-status': '12' }, { endStream: true });
      stream.close(http2.constants.NGHTTP2_NO_ERROR);
    });
  }

  static async open(socketPath: string, session: string, files: OfferedFiles): Promise<BuildkitClient> {
    const uuid = `X-Docker-Expose-Session-Uuid: ${session}`;
    const lender = http2.performServerHandshake(await upgradeToHttp2(socketPath, '/session', [uuid]));
    const connection = await upgradeToHttp2(socketPath, '/grpc');
    const caller = http2.connect('http://docker', { createConnection: () => connection });
    return new BuildkitClient(session, lender, caller, files);
  }

  /** Builds by one call, as clients without a gateway do. */
  async solve(
    ref: string,
    attributes: Readonly<Record<string, string>> = {},
    { name = '', exporter = 'moby', frontend = 'dockerfile.v0', details = true } = {},
  ): Promise<BuildOfClient> {
    const request = Buffer.concat([
      field(1, ref),
      field(5, this.session),
      field(6, frontend),
      ...Object.entries(attributes).map(([key, value]) => field(7, entry(key, value))),
      field(13, Buffer.concat([field(1, exporter), field(2, entry('name', name))])),
    ]);
    const [solved, followed] = await Promise.all([
      call(this.caller, '/moby.buildkit.v1.Control/Solve', grpcFrame(request)),
      call(this.caller, '/moby.buildkit.v1.Control/Status', grpcFrame(field(1, ref))),
    ]);
    const status = String(solved.trailers['grpc-status']);
    const [answer] = messages(solved.body);
    const bin = String(solved.trailers['grpc-status-details-bin'] ?? '');
    return {
      status,
      message: decodeURIComponent(String(solved.trailers['grpc-message'] ?? '')),
      response: Object.fromEntries(
        (answer === undefined ? [] : fields(answer)).map(({ bytes }) => {
          const [key, value] = fields(bytes);
          return [key!.bytes.toString(), value?.bytes.toString() ?? ''];
        }),
      ),
      details: details ? Buffer.from(bin, 'base64').toString('latin1') : '',
      ...readStatus(messages(followed.body)),
    };
  }

  /** One call with one message each way. @returns the answer's fields */
  async ask(path: string, request: Buffer = Buffer.alloc(0), headers: Record<string, string> = {}) {
    const answered = await call(this.caller, path, grpcFrame(request), headers);
    return {
      status: String(answered.trailers['grpc-status']),
      message: decodeURIComponent(String(answered.trailers['grpc-message'] ?? '')),
      messages: messages(answered.body).map(fields),
    };
  }

  close(): void {
    this.lender.destroy();
    this.caller.destroy();
  }

  /** The receiving side of fsutil, or of a file: which one is seen in what comes. */
  private takeFiles(stream: ServerHttp2Stream, exporter: number): void {
    const into: ExportedFiles = { files: new Map(), bytes: Buffer.alloc(0) };
    this.taken[exporter] = into;
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    const listed: string[] = [];
    const open = new Set<number>();
    let held: Buffer = Buffer.alloc(0);
    const packet = (message: Buffer) => {
      const parts = fields(message);
      const value = (wanted: number) => parts.find((each) => each.number === wanted)?.value ?? 0;
      const bytes = (wanted: number) => parts.find((each) => each.number === wanted)?.bytes ?? Buffer.alloc(0);
      if (parts.length === 1 && parts[0]!.number === 1 && parts[0]!.bytes.length > 0)
        into.bytes = Buffer.concat([into.bytes, parts[0]!.bytes]);
      else if (bytes(2).length > 0) {
        const stat = fields(bytes(2));
        const path = stat.find((each) => each.number === 1)!.bytes.toString();
        const mode = stat.find((each) => each.number === 2)!.value;
        const link = stat.find((each) => each.number === 7)?.bytes.toString() ?? '';
        into.files.set(path, { mode, link, text: '' });
        // A regular file: below that are permissions.
        if (mode < 2 ** 24) {
          open.add(listed.length);
          stream.write(grpcFrame(Buffer.concat([Buffer.from([8, 1]), number(3, listed.length)])));
        }
        listed.push(path);
      } else if (value(1) === 2) {
        const file = into.files.get(listed[value(3)]!)!;
        file.text += bytes(4).toString();
        if (bytes(4).length === 0) open.delete(value(3));
      } else if (value(1) === 0) open.add(-1);
      if (open.has(-1) && open.size === 1) {
        open.clear();
        stream.write(grpcFrame(Buffer.from([8, 3])));
      }
    };
    stream.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      for (const message of messages(held)) {
        held = held.subarray(5 + message.length);
        packet(message);
      }
    });
    stream.on('end', () => stream.end());
  }

  /** The sending side of fsutil: all entries, then what is asked for. */
  private sendFiles(stream: ServerHttp2Stream, raw: readonly string[]): void {
    const header = (name: string) => raw.flatMap((text, at) => (at % 2 === 1 && raw[at - 1] === name ? [text] : []));
    const directory = header('dir-name')[0] ?? '';
    const paths = header('followpaths');
    this.asked.push({ directory, paths });
    const follows = (path: string) =>
      paths.length === 0 || paths.some((each) => path === each || path.startsWith(`${each}/`));
    const offered = Object.entries(this.files[directory] ?? {})
      .filter(([path]) => follows(path))
      .sort(([a], [b]) => (a < b ? -1 : 1));
    let trailers: Record<string, string> = { 'grpc-status': '0' };
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.on('wantTrailers', () => stream.sendTrailers(trailers));
    if (!(directory in this.files)) {
      trailers = { 'grpc-status': '5', 'grpc-message': `no access allowed to dir ${directory}` };
      stream.resume();
      return void stream.end();
    }
    for (const [path, file] of offered) stream.write(grpcFrame(field(2, statOf(path, file))));
    stream.write(grpcFrame(Buffer.alloc(0)));
    let held: Buffer = Buffer.alloc(0);
    stream.on('data', (chunk: Buffer) => {
      held = Buffer.concat([held, chunk]);
      for (const message of messages(held)) {
        held = held.subarray(5 + message.length);
        const packet = fields(message);
        const type = packet.find(({ number }) => number === 1)?.value ?? 0;
        const id = packet.find(({ number }) => number === 3)?.value ?? 0;
        if (type === 3) {
          stream.write(grpcFrame(Buffer.from([8, 3])));
          stream.end();
        }
        if (type !== 1) continue;
        const file = offered[id]![1];
        const content = typeof file === 'string' ? file : '';
        if (content !== '')
          stream.write(grpcFrame(Buffer.concat([Buffer.from([8, 2]), number(3, id), field(4, content)])));
        stream.write(grpcFrame(Buffer.concat([Buffer.from([8, 2]), number(3, id)])));
      }
    });
  }
}

const entry = (key: string, value: string) => Buffer.concat([field(1, key), field(2, value)]);

/** A varint field below number 16. */
export function number(tag: number, value: number): Buffer {
  const bytes: number[] = [];
  for (let left = value; ; left = Math.floor(left / 128)) {
    bytes.push(left > 127 ? (left % 128) + 128 : left);
    if (left <= 127) break;
  }
  return Buffer.from([tag * 8, ...bytes]);
}

function statOf(path: string, file: OfferedFile): Buffer {
  if (file === undefined) return Buffer.concat([field(1, path), number(2, 2 ** 31 + 0o755)]);
  if (typeof file === 'object') return Buffer.concat([field(1, path), number(2, 2 ** 27 + 0o777), field(7, file.link)]);
  return Buffer.concat([field(1, path), number(2, 0o644), number(5, Buffer.byteLength(file))]);
}

function messages(body: Buffer): Buffer[] {
  const found: Buffer[] = [];
  for (let at = 0; at + 5 <= body.length; ) {
    const end = at + 5 + body.readUInt32BE(at + 1);
    if (end > body.length) break;
    found.push(body.subarray(at + 5, end));
    at = end;
  }
  return found;
}

/** The fields of a message. */
export function fields(message: Buffer): Field[] {
  const found: Field[] = [];
  const varint = (from: number) => {
    let value = 0;
    for (let at = from, factor = 1; ; at++, factor *= 128) {
      value += (message[at]! & 127) * factor;
      if (message[at]! < 128) return { value, end: at + 1 };
    }
  };
  for (let at = 0; at < message.length; ) {
    const tag = varint(at);
    const first = varint(tag.end);
    const isText = tag.value % 8 === 2;
    at = isText ? first.end + first.value : first.end;
    const bytes = isText ? message.subarray(first.end, at) : Buffer.alloc(0);
    found.push({ number: Math.floor(tag.value / 8), value: isText ? 0 : first.value, bytes });
  }
  return found;
}

function readStatus(statuses: readonly Buffer[]): Pick<BuildOfClient, 'steps' | 'output' | 'warnings'> {
  const warnings: string[] = [];
  const steps = new Map<string, ClientStep>();
  let output = '';
  for (const { number: kind, bytes } of statuses.flatMap(fields)) {
    const inner = fields(bytes);
    const text = (wanted: number) => inner.find((each) => each.number === wanted)?.bytes.toString() ?? '';
    if (kind === 3) output += text(4);
    if (kind === 4) warnings.push(text(3));
    if (kind !== 1) continue;
    steps.set(text(1), {
      digest: text(1),
      name: text(3),
      cached: inner.some((each) => each.number === 4 && each.value === 1),
      isDone: inner.some((each) => each.number === 6),
      error: text(7),
    });
  }
  return { steps: [...steps.values()], output, warnings };
}

import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { join } from 'node:path';
import { EngineError, errorMessage, systemError } from '@gantry/sdk';
import { frame, MessageReader } from '../buildkit/grpc-messages';
import {
  bytesOf,
  type Field,
  message,
  messagesOf,
  numberField,
  numberOf,
  readFields,
  textOf,
  wideNumberOf,
} from '../buildkit/protobuf';
import { ListedTree } from '../context/listed-tree';
import type { SourceEntry } from '../context/source-tree';
import { toBytes } from '../copy/byte-path';
import { callStatus } from './call-status';
import { packets, permissionsOf, typeOf } from './fsutil';

/** Part of a directory of the client. */
export interface WantedFiles {
  /** What the client calls the directory: `context`, `dockerfile`, or a name of its own. */
  readonly directory: string;
  /** Undefined = everything. Links on the way are sent too. */
  readonly paths: readonly string[] | undefined;
  readonly excludes: readonly string[];
}

/**
 * Fetches files of the client over its session.
 *
 * @param folder to keep them in; the caller removes it
 * @param onBytes how many have come so far
 * @throws system  the client refuses, or is gone
 * @see BuildKit, session/filesync: FileSync.DiffCopy
 */
export async function fetchFiles(
  session: ClientHttp2Session,
  { directory, paths, excludes }: WantedFiles,
  folder: string,
  onBytes: (total: number) => void,
  signal: AbortSignal,
): Promise<ListedTree> {
  signal.throwIfAborted();
  const path = join(folder, 'files');
  const spool = await open(path, 'wx', 0o600);
  let status: () => void = () => {};
  let call: ClientHttp2Stream | undefined;
  let receiver: Receiver | undefined;
  const cancel = () => call?.destroy(new Error('cancelled'));
  signal.addEventListener('abort', cancel, { once: true });
  try {
    call = session.request({
      ':method': 'POST',
      ':path': '/moby.filesync.v1.FileSync/DiffCopy',
      'content-type': 'application/grpc',
      te: 'trailers',
      'dir-name': directory,
      ...listHeader('followpaths', paths ?? []),
      ...listHeader('exclude-patterns', excludes),
    });
    call.on('error', () => {});
    status = callStatus(call);
    receiver = new Receiver(call, spool, path, folder, onBytes);
    const reader = new MessageReader();
    for await (const chunk of call as AsyncIterable<Buffer>)
      for (const packet of reader.push(chunk)) await receiver.packet(packet);
    status();
    return receiver.finish();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof EngineError) throw error;
    throw systemError(`the build session ended: ${errorMessage(error)}`, error);
  } finally {
    signal.removeEventListener('abort', cancel);
    call?.close();
    await receiver?.close();
    await spool.close();
  }
}

interface OpenFile {
  readonly path: string;
  readonly stat: Omit<SourceEntry, 'content' | 'digest' | 'size'>;
  readonly hash: Hash;
  /** The place kept for it in the spool. */
  readonly offset: number;
  readonly room: number;
  written: number;
  /** Its own file, once it has outgrown that place. */
  own: { readonly handle: FileHandle; readonly path: string } | undefined;
}

/** The receiving side: asks for every file as soon as it hears of it. Files come interleaved. */
class Receiver {
  private readonly tree = new ListedTree();
  private readonly files = new Map<number, OpenFile>();
  private readonly hardLinks: { readonly path: string; readonly target: string }[] = [];
  private nextId = 0;
  private end = 0;
  private total = 0;
  private listed = false;
  private ended = false;

  constructor(
    private readonly call: ClientHttp2Stream,
    private readonly spool: FileHandle,
    private readonly spoolPath: string,
    private readonly folder: string,
    private readonly onBytes: (total: number) => void,
  ) {}

  async packet(packet: Buffer): Promise<void> {
    const fields = readFields(packet);
    this.total += packet.length;
    this.onBytes(this.total);
    switch (numberOf(fields, 1)) {
      case packets.stat: {
        const [stat] = messagesOf(fields, 2);
        if (stat === undefined) this.listed = true;
        else this.take(stat);
        break;
      }
      case packets.data:
        await this.data(numberOf(fields, 3), bytesOf(fields, 4));
        break;
      case packets.error:
        throw systemError(`error from sender: ${bytesOf(fields, 4).toString()}`);
      case packets.end:
        // The client has answered our goodbye.
        break;
      default:
        return;
    }
    if (!this.listed || this.files.size > 0 || this.ended) return;
    this.ended = true;
    this.call.write(frame(message(numberField(1, packets.end))));
    this.call.end();
  }

  finish(): ListedTree {
    if (!this.ended) throw systemError('the client ended the transfer of its files early');
    for (const { path, target } of this.hardLinks) {
      const found = this.tree.find(target);
      if (found === undefined) throw systemError(`hard link "${path}" leads to nothing in the context`);
      this.tree.set(path, found);
    }
    return this.tree;
  }

  /** To be called in any case. */
  async close(): Promise<void> {
    for (const { own } of this.files.values()) await own?.handle.close();
  }

  private take(stat: readonly Field[]): void {
    const id = this.nextId++;
    const path = cleanPath(textOf(stat, 1));
    const mode = numberOf(stat, 2) | 0;
    const type = typeOf(mode);
    if (type === undefined || path === '') return;
    const linkName = textOf(stat, 7);
    if (type === 'file' && linkName !== '') {
      this.hardLinks.push({ path, target: cleanPath(linkName) });
      return;
    }
    const xattrs = messagesOf(stat, 10).map((entry) => [textOf(entry, 1), bytesOf(entry, 2)] as const);
    const entry = {
      type,
      mode: permissionsOf(mode),
      uid: numberOf(stat, 3),
      gid: numberOf(stat, 4),
      modifiedNs: BigInt.asIntN(64, wideNumberOf(stat, 6)),
      linkName: toBytes(linkName),
      device:
        type === 'character' || type === 'block' ? { major: numberOf(stat, 8), minor: numberOf(stat, 9) } : undefined,
      xattrs: new Map(xattrs),
    };
    if (type !== 'file') {
      this.tree.set(path, { ...entry, size: 0, content: undefined, digest: undefined });
      return;
    }
    const room = numberOf(stat, 5);
    const offset = this.end;
    this.end += room;
    this.files.set(id, { path, stat: entry, hash: createHash('sha256'), offset, room, written: 0, own: undefined });
    this.call.write(frame(message(numberField(1, packets.request), numberField(3, id))));
  }

  private async data(id: number, bytes: Buffer): Promise<void> {
    const file = this.files.get(id);
    if (file === undefined) return;
    if (bytes.length > 0) {
      file.hash.update(bytes);
      if (file.own === undefined && file.written + bytes.length > file.room) await this.moveOut(id, file);
      if (file.own === undefined) await this.spool.write(bytes, 0, bytes.length, file.offset + file.written);
      else await file.own.handle.write(bytes, 0, bytes.length, file.written);
      file.written += bytes.length;
      return;
    }
    this.files.delete(id);
    await file.own?.handle.close();
    const content =
      file.own === undefined
        ? { path: toBytes(this.spoolPath), offset: file.offset }
        : { path: toBytes(file.own.path), offset: 0 };
    this.tree.set(file.path, { ...file.stat, size: file.written, content, digest: file.hash.digest('hex') });
  }

  /** The client's file has grown since it was listed. */
  private async moveOut(id: number, file: OpenFile): Promise<void> {
    const path = join(this.folder, `grown-${id}`);
    const handle = await open(path, 'wx', 0o600);
    file.own = { handle, path };
    const before = Buffer.alloc(file.written);
    await this.spool.read(before, 0, before.length, file.offset);
    await handle.write(before, 0, before.length, 0);
  }
}

const cleanPath = (path: string): string =>
  toBytes(path)
    .split('/')
    .filter((part) => part !== '' && part !== '.' && part !== '..')
    .join('/');

/** A repeated header. What is not ASCII is escaped, which another header says. */
function listHeader(name: string, values: readonly string[]): Record<string, string | string[]> {
  if (values.length === 0) return {};
  if (values.every((value) => /^[\x20-\x7e]*$/.test(value))) return { [name]: [...values] };
  return { [name]: values.map((value) => encodeURIComponent(value)), [`${name}-encoded`]: '1' };
}

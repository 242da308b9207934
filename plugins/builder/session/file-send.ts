import { type FileHandle, open } from 'node:fs/promises';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { EngineError, errorMessage, systemError } from '@gantry/sdk';
import { frame, MessageReader } from '../buildkit/grpc-messages';
import { bytesField, bytesOf, message, numberField, numberOf, readFields } from '../buildkit/protobuf';
import type { SourceEntry } from '../context/source-tree';
import { forFs } from '../copy/byte-path';
import type { CopyItem } from '../copy/select-files';
import { callStatus } from './call-status';
import { goModeOf, packets } from './fsutil';

const pieceBytes = 256 * 1024;

/** Where a client wants its files. */
export interface FileTarget {
  readonly session: ClientHttp2Session;
  /** Place of the exporter among those of the build. */
  readonly exporter: number;
  /** Hears how many bytes have gone so far. */
  readonly onBytes: (total: number) => void;
  readonly signal: AbortSignal;
}

/**
 * Sends a file to the client, such as an archive.
 *
 * @throws system  the client cannot take it, or is gone
 * @see BuildKit, session/filesync: FileSend.DiffCopy
 */
export async function sendFile(pieces: AsyncIterable<Buffer>, target: FileTarget): Promise<void> {
  await withCall(target, async (call) => {
    const ended = drain(call, async () => {});
    let total = 0;
    for await (const piece of pieces) {
      for (let at = 0; at < piece.length; at += pieceBytes)
        await write(call, bytesField(1, piece.subarray(at, at + pieceBytes)));
      total += piece.length;
      target.onBytes(total);
    }
    call.end();
    await ended;
  });
}

/**
 * Sends files into a directory of the client: it hears what there is, and asks for what it wants.
 *
 * @param items directories before what is in them
 * @throws system  the client cannot take them, or is gone
 * @see fsutil, types/wire.proto
 */
export async function sendDirectory(items: readonly CopyItem[], target: FileTarget): Promise<void> {
  // Receivers insist on this order: a directory's content right behind it.
  const sorted = items
    .filter(({ path }) => path !== '')
    .map((item) => ({ item, key: item.path.replaceAll('/', '\0') }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ item }) => item);
  await withCall(target, async (call) => {
    let total = 0;
    const send = async (packet: Buffer) => {
      total += packet.length;
      target.onBytes(total);
      await write(call, packet);
    };
    // One file after the other, while the list still goes out.
    let sending = Promise.resolve();
    let isFinished = false;
    const ended = drain(call, async (bytes) => {
      const packet = readFields(bytes);
      switch (numberOf(packet, 1)) {
        case packets.request: {
          const id = numberOf(packet, 3);
          sending = sending.then(() => sendContent(id, sorted[id]?.entry, send));
          sending.catch((error: Error) => call.destroy(error));
          break;
        }
        case packets.end:
          await sending;
          isFinished = true;
          await send(message(numberField(1, packets.end)));
          call.end();
          break;
        case packets.error:
          throw systemError(`error from receiver: ${bytesOf(packet, 4).toString()}`);
        default:
      }
    });
    ended.catch(() => {});
    for (const { path, entry } of sorted) await send(bytesField(2, statOf(path, entry)));
    await send(Buffer.alloc(0));
    await ended;
    await sending;
    if (!isFinished) throw systemError('the client ended the transfer of the files early');
  });
}

async function withCall(
  { session, exporter, signal }: FileTarget,
  work: (call: ClientHttp2Stream) => Promise<void>,
): Promise<void> {
  signal.throwIfAborted();
  const call = session.request({
    ':method': 'POST',
    ':path': '/moby.filesync.v1.FileSend/DiffCopy',
    'content-type': 'application/grpc',
    te: 'trailers',
    'buildkit-attachable-exporter-id': String(exporter),
  });
  call.on('error', () => {});
  const assertSucceeded = callStatus(call);
  const cancel = () => call.destroy(new Error('cancelled'));
  signal.addEventListener('abort', cancel, { once: true });
  try {
    await work(call);
    assertSucceeded();
  } catch (error) {
    signal.throwIfAborted();
    // What the client says of it tells more than that it hung up.
    if (call.closed || call.destroyed) assertSucceeded();
    if (error instanceof EngineError) throw error;
    throw systemError(`the build session ended: ${errorMessage(error)}`, error);
  } finally {
    signal.removeEventListener('abort', cancel);
    call.close();
  }
}

/** Reads what the client answers, to the end. */
async function drain(call: ClientHttp2Stream, take: (message: Buffer) => Promise<void>): Promise<void> {
  const reader = new MessageReader();
  for await (const chunk of call as AsyncIterable<Buffer>) for (const packet of reader.push(chunk)) await take(packet);
}

async function write(call: ClientHttp2Stream, packet: Buffer): Promise<void> {
  if (call.destroyed || call.writableEnded) throw new Error('the client takes nothing more');
  if (call.write(frame(packet))) return;
  await new Promise<void>((resolve) => {
    const done = () => {
      call.off('drain', done);
      call.off('close', done);
      resolve();
    };
    call.on('drain', done);
    call.on('close', done);
  });
}

async function sendContent(
  id: number,
  entry: SourceEntry | undefined,
  send: (packet: Buffer) => Promise<void>,
): Promise<void> {
  if (entry?.content === undefined) throw systemError(`the client asked for file ${id}, which there is not`);
  const packet = (data: Buffer) => message(numberField(1, packets.data), numberField(3, id), bytesField(4, data));
  for await (const piece of piecesOf(entry)) await send(packet(piece));
  await send(packet(Buffer.alloc(0)));
}

/** The bytes of a file, a piece at a time. */
export async function* piecesOf({ content, size }: SourceEntry): AsyncGenerator<Buffer> {
  if (content === undefined || size === 0) return;
  let file: FileHandle | undefined;
  try {
    file = await open(forFs(content.path), 'r');
    for (let sent = 0; sent < size; ) {
      const buffer = Buffer.allocUnsafe(Math.min(pieceBytes, size - sent));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, content.offset + sent);
      if (bytesRead === 0) throw systemError(`a file of the build result became shorter while it was sent`);
      yield buffer.subarray(0, bytesRead);
      sent += bytesRead;
    }
  } finally {
    await file?.close();
  }
}

/** fsutil's `Stat`. */
function statOf(path: string, entry: SourceEntry): Buffer {
  return message(
    bytesField(1, Buffer.from(path, 'latin1')),
    numberField(2, goModeOf(entry)),
    numberField(3, entry.uid),
    numberField(4, entry.gid),
    numberField(5, entry.size),
    numberField(6, BigInt.asUintN(64, entry.modifiedNs)),
    entry.linkName === '' ? undefined : bytesField(7, Buffer.from(entry.linkName, 'latin1')),
    numberField(8, entry.device?.major ?? 0),
    numberField(9, entry.device?.minor ?? 0),
    ...[...entry.xattrs].map(([name, value]) => bytesField(10, message(bytesField(1, name), bytesField(2, value)))),
  );
}

import type { ApiClient } from './http-client';
import { makeTar, type TarEntry } from './tar';
import { readTar } from './tar-reader';

/** One line of a build's answer. */
export interface BuildMessage {
  readonly stream?: string;
  readonly status?: string;
  readonly error?: string;
  readonly errorDetail?: { readonly message: string; readonly code?: number };
  readonly aux?: { readonly ID: string };
}

export interface BuildAnswer {
  readonly status: number;
  readonly messages: readonly BuildMessage[];
  /** All `stream` texts. */
  readonly output: string;
  /** In the stream, or the message of an error status. */
  readonly error: string | undefined;
  readonly errorCode: number | undefined;
  /** Of the last aux message. */
  readonly imageId: string | undefined;
}

/** Files of a context: text, or an entry of a tar. A name that ends in "/" is a folder. */
export type ContextFiles = Readonly<Record<string, string | Omit<TarEntry, 'name'>>>;

/** The context as the client sends it. */
export function contextTar(dockerfile: string | undefined, files: ContextFiles = {}): Buffer {
  const entries = Object.entries(files).map(([name, file]) =>
    typeof file === 'string' ? { name, data: file } : { name, ...file },
  );
  return makeTar([...(dockerfile === undefined ? [] : [{ name: 'Dockerfile', data: dockerfile }]), ...entries]);
}

/** One build, to its end. Query values that are objects are sent as JSON. */
export async function build(
  api: ApiClient,
  context: Buffer,
  query: Readonly<Record<string, string | readonly string[] | object>> = {},
  headers: Record<string, string> = {},
): Promise<BuildAnswer> {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (Array.isArray(value)) for (const one of value) search.append(name, String(one));
    else search.append(name, typeof value === 'string' ? value : JSON.stringify(value));
  }
  const answer = await api.post(`/build?${search}`, undefined, {
    body: context,
    headers: { 'Content-Type': 'application/x-tar', ...headers },
  });
  if (answer.status !== 200) {
    const { message } = answer.json<{ message: string }>();
    return {
      status: answer.status,
      messages: [],
      output: '',
      error: message,
      errorCode: undefined,
      imageId: undefined,
    };
  }
  const messages = answer.text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as BuildMessage);
  const failure = messages.find((message) => message.errorDetail !== undefined);
  return {
    status: 200,
    messages,
    output: messages.map(({ stream }) => stream ?? '').join(''),
    error: failure?.errorDetail?.message,
    errorCode: failure?.errorDetail?.code,
    imageId: messages.findLast(({ aux }) => aux?.ID !== undefined)?.aux?.ID,
  };
}

/**
 * What an image's layers above its base add: `0644 0:0 text` for files, `d 0755 0:0`, `l target`; `-` for what a layer
 * takes away.
 */
export async function addedFiles(api: ApiClient, image: string, baseLayers: number): Promise<Record<string, string>> {
  const saved = await api.get(`/images/${encodeURIComponent(image)}/get`);
  const files = new Map(readTar(saved.body).map((entry) => [entry.name, entry]));
  const follow = (name: string) => {
    const entry = files.get(name)!;
    // Older daemons link equal layers to each other.
    if (entry.link === undefined || entry.type !== '2') return entry.data;
    const target = new URL(entry.link, `file:///${name}`).pathname.slice(1);
    return files.get(target)!.data;
  };
  const [manifest] = JSON.parse(files.get('manifest.json')!.data.toString()) as { Layers: string[] }[];
  const added: Record<string, string> = {};
  for (const layer of manifest!.Layers.slice(baseLayers)) {
    for (const entry of readTar(follow(layer))) {
      const path = `/${entry.name.replace(/^\.?\/+/, '').replace(/\/$/, '')}`;
      const name = path.slice(path.lastIndexOf('/') + 1);
      if (name === '.wh..wh..opq') continue;
      if (name.startsWith('.wh.')) {
        const gone = path.slice(0, path.lastIndexOf('/') + 1) + name.slice(4);
        for (const known of Object.keys(added)) if (known.startsWith(`${gone}/`)) delete added[known];
        added[gone] = '-';
        continue;
      }
      const mode = entry.mode.toString(8).padStart(4, '0');
      const owner = `${entry.uid}:${entry.gid}`;
      if (entry.type === '5') added[path] = `d ${mode} ${owner}`;
      else if (entry.type === '2') added[path] = `l ${entry.link}`;
      else if (entry.type === '1') added[path] = `= /${entry.link}`;
      else added[path] = `${mode} ${owner} ${entry.data.toString()}`;
    }
  }
  return added;
}

import { addedFiles } from '../../support/build';
import type { ApiClient } from '../../support/http-client';

/** Everything of a built image that users see, without what is random or of another time. */
export async function imageResult(imageId: string, dockerfile: string, api: ApiClient) {
  const image = (await api.get(`/images/${imageId}/json`)).json<Inspected>();
  const history = (await api.get(`/images/${imageId}/history`)).json<{ CreatedBy: string; Size: number }[]>();
  const { Os, Architecture, Author, Config } = image;
  const onScratch = /^FROM scratch/.test(`FROM ${dockerfile.split(/^FROM /m).at(-1)}`);
  return {
    image: { Os, Architecture, Author },
    config: Object.fromEntries(configFields.map((field) => [field, Config[field] ?? null])),
    history: history.map(({ CreatedBy }) => withoutIds(CreatedBy)),
    layers: image.RootFS.Layers?.length,
    files: await addedFiles(api, imageId, onScratch ? 0 : 1),
  };
}

interface Inspected {
  readonly Os: string;
  readonly Architecture: string;
  readonly Author: string;
  readonly Config: Readonly<Record<string, unknown>>;
  readonly RootFS: { readonly Layers?: readonly string[] };
}

const configFields = [
  'User',
  'ExposedPorts',
  'Env',
  'Cmd',
  'Healthcheck',
  'ArgsEscaped',
  'Volumes',
  'WorkingDir',
  'Entrypoint',
  'OnBuild',
  'Labels',
  'StopSignal',
  'Shell',
];

/** Newer versions have one duration more in a health check, and their warnings on one line. */
export const withoutIds = (text: string) =>
  text
    .replace(/(HEALTHCHECK .*"\S+" "\S+" "\S+") "\S+" '/, "$1 '")
    .replace(/(Empty continuation line found in:)\s+(.*?)\s*\n/, '$1 $2\n')
    .replace(/\b(file|dir|multi):[0-9a-f]{64}/g, '$1:<digest>')
    .replace(/\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b/g, '<id>');

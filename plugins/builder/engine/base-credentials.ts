import type { ClientSessions } from '../session/client-sessions';
import { getCredentials } from '../session/credentials';
import type { BuildRequest } from './build-request';

/** An AuthConfig document for the registry of an image: from the request, or from the client itself over its session. */
export async function credentialsFor(
  reference: string,
  { registryConfig, session }: BuildRequest,
  sessions: ClientSessions,
  signal: AbortSignal,
): Promise<unknown> {
  const host = hostOf(reference);
  const given = givenCredentials(host, registryConfig);
  if (given !== undefined || session === '') return given;
  return getCredentials(await sessions.get(session, signal), host ?? 'registry-1.docker.io', signal);
}

/** What the request knows for the registry of an image. */
function givenCredentials(host: string | undefined, config: Readonly<Record<string, unknown>>): unknown {
  const keys =
    host === undefined ? ['https://index.docker.io/v1/', 'docker.io'] : [host, `https://${host}`, `http://${host}`];
  return keys.map((key) => config[key]).find((value) => value !== undefined);
}

/** The registry of an image; undefined = Docker Hub. */
function hostOf(reference: string): string | undefined {
  const [first = '', ...rest] = reference.split('/');
  return rest.length > 0 && (/[.:]/.test(first) || first === 'localhost') ? first : undefined;
}

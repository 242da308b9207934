import { EngineError, systemError } from '@gantry/sdk';
import { isObject } from '../store/image-config';
import type { Credentials } from './credentials';
import { type HttpClient, readBody } from './http';

interface Challenge {
  readonly scheme: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** Answers a registry's challenges for one user. @see Distribution specification, token authentication */
export class Authorizer {
  private readonly headers = new Map<string, { value: string; expiresAt: number }>();

  constructor(
    private readonly http: HttpClient,
    private readonly credentials: Credentials,
  ) {}

  /** The header found to work for a scope, if any is known and still good. */
  current(scope: string): string | undefined {
    if (this.credentials.registryToken !== '') return `Bearer ${this.credentials.registryToken}`;
    const known = this.headers.get(scope);
    return known !== undefined && known.expiresAt > Date.now() ? known.value : undefined;
  }

  /**
   * The header a challenge asks for.
   *
   * @param challenge value of WWW-Authenticate
   * @throws unauthorized  the credentials are refused; system  none fit
   */
  async answer(challenge: string, scope: string, signal: AbortSignal): Promise<string> {
    const challenges = parseChallenges(challenge);
    const bearer = challenges.find((item) => item.scheme === 'bearer');
    if (bearer !== undefined) return this.bearer(bearer, scope, signal);
    if (challenges.some((item) => item.scheme === 'basic')) {
      if (this.credentials.username === '') throw systemError('no basic auth credentials');
      return this.remember(scope, basic(this.credentials), 3600);
    }
    throw systemError(`the registry asks for an unknown kind of authentication: ${challenge}`);
  }

  /** Forgets what did not work. */
  forget(scope: string): void {
    this.headers.delete(scope);
  }

  private async bearer({ parameters }: Challenge, scope: string, signal: AbortSignal): Promise<string> {
    const realm = parameters.get('realm');
    if (realm === undefined || !URL.canParse(realm))
      throw systemError(`the registry names no token server: realm "${realm ?? ''}"`);
    const service = parameters.get('service') ?? '';
    const response =
      this.credentials.identityToken === ''
        ? await this.getToken(realm, service, scope, signal)
        : await this.refreshToken(realm, service, scope, signal);
    const body = await readBody(response);
    if (response.statusCode !== 200) throw tokenError(response.statusCode!, realm, body);
    let answer: unknown;
    try {
      answer = JSON.parse(body.toString('utf8'));
    } catch {
      answer = undefined;
    }
    const token = isObject(answer) ? (answer.token ?? answer.access_token) : undefined;
    if (typeof token !== 'string' || token === '')
      throw systemError(`authorization server did not include a token in the response: ${new URL(realm).host}`);
    const lifetime = isObject(answer) && typeof answer.expires_in === 'number' ? answer.expires_in : 60;
    return this.remember(scope, `Bearer ${token}`, lifetime);
  }

  private getToken(realm: string, service: string, scope: string, signal: AbortSignal) {
    const url = new URL(realm);
    if (service !== '') url.searchParams.set('service', service);
    for (const one of scope.split(' ').filter(Boolean)) url.searchParams.append('scope', one);
    const { username } = this.credentials;
    if (username !== '') url.searchParams.set('account', username);
    const headers = username === '' ? {} : { Authorization: basic(this.credentials) };
    return this.http.request({ method: 'GET', url, headers, signal });
  }

  private refreshToken(realm: string, service: string, scope: string, signal: AbortSignal) {
    const form = new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: this.credentials.identityToken,
      service,
      scope,
      client_id: 'gantry',
    });
    const headers = { 'Content-Type': 'application/x-www-form-urlencoded' };
    return this.http.request({ method: 'POST', url: new URL(realm), headers, body: form.toString(), signal });
  }

  private remember(scope: string, value: string, lifetimeS: number): string {
    // Renewed a little early: a token must last through the request it is sent with.
    this.headers.set(scope, { value, expiresAt: Date.now() + Math.max(10, lifetimeS - 10) * 1000 });
    return value;
  }
}

/** `Bearer realm="…",service="…", Basic realm="…"` */
export function parseChallenges(header: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  for (const match of header.matchAll(/([A-Za-z0-9_-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/g)) {
    const [, word, quoted, plain] = match;
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain;
    if (value === undefined) challenges.push({ scheme: word!.toLowerCase(), parameters: new Map() });
    else challenges.at(-1)?.parameters.set(word!.toLowerCase(), value);
  }
  return challenges;
}

function basic({ username, password }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function tokenError(status: number, realm: string, body: Buffer): Error {
  let detail = '';
  try {
    const answer: unknown = JSON.parse(body.toString('utf8'));
    if (isObject(answer)) detail = String(answer.details ?? answer.message ?? answer.error ?? '');
  } catch {
    // An answer without words.
  }
  if (status === 401 || status === 403)
    return new EngineError('unauthorized', `unauthorized: ${detail || 'incorrect username or password'}`);
  return systemError(`unexpected status ${status} from the token server ${new URL(realm).host}: ${detail}`);
}

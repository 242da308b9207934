import { capability } from '../plugin/capability';

/** @see Docker authorization plugin protocol, section 7 */
export interface AuthorizationRequest {
  readonly user: string;
  readonly userAuthMethod: string;
  readonly method: string;
  readonly uri: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  readonly peerCertificatesPem: readonly string[];
}

/** What is about to be sent to the client; `body` is undefined when it was streamed or is too large to show. */
export interface AuthorizationResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
}

/** The answer of an authorization plugin. The message of a refusal is shown to the user. */
export type Verdict = { readonly allow: true } | { readonly allow: false; readonly message: string };

/** Judges requests before they run and answers before they are sent. A failure counts as a refusal. */
export interface AuthorizationPlugin {
  request(request: AuthorizationRequest, signal: AbortSignal): Promise<Verdict>;
  response(request: AuthorizationRequest, response: AuthorizationResponse, signal: AbortSignal): Promise<Verdict>;
}

/** Authorization plugins, by the names that `authorization-plugins` lists. */
export const Authz1 = capability<AuthorizationPlugin>('authz/v1', 'many');

import { capability } from '../plugin/capability';
import type { ApiSubject } from './api-routes';

/** @see Docker authorization plugin protocol, section 7 */
export interface AuthorizationRequest {
  readonly user: string;
  readonly userAuthMethod: string;
  readonly method: string;
  readonly uri: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  readonly peerCertificatesPem: readonly string[];
  /** What this engine knows beyond the protocol; only for plugins with `wantsContext`. */
  readonly context?: AuthorizationContext;
}

/** Facts about a request that dockerd does not tell. They come from the kernel and from the engine, not from the client. */
export interface AuthorizationContext {
  /** The socket that was connected to: `unix:///run/docker.sock`, `tcp://10.0.0.1:2376`, `fd://3`. */
  readonly listener: string;
  /** The process that connected to a unix socket, as it was then. */
  readonly peer?: { readonly uid: number; readonly gid: number; readonly pid: number };
  /** The client's certificate, which has been verified against the configured CA. */
  readonly certificate?: {
    /** Parts of the subject by their short names: `{ CN: ['alice'], OU: ['dev', 'ops'] }`. */
    readonly subject: Readonly<Record<string, readonly string[]>>;
    /** `DNS:alice.example`, `email:alice@example`, `IP Address:10.0.0.7`, `URI:spiffe://…`. */
    readonly alternativeNames: readonly string[];
  };
  /** The route that will run, with its parameters as the handler gets them; absent when there is none. */
  readonly route?: {
    readonly method: string;
    /** Without version prefix, with placeholders: `/containers/{id}/start`. */
    readonly path: string;
    readonly params: Readonly<Record<string, string>>;
    /** The version the request is served with. */
    readonly apiVersion: string;
  };
  /**
   * The existing object that the path names, looked up when the request came: by the time the request runs, its name
   * may be another's. Absent when there is none, and for routes that are about no one object.
   */
  readonly subject?: ApiSubject;
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
  /** Whether requests come with `context`. Without it nothing is looked up, and nothing is sent that dockerd does not. */
  readonly wantsContext?: boolean;
  request(request: AuthorizationRequest, signal: AbortSignal): Promise<Verdict>;
  response(request: AuthorizationRequest, response: AuthorizationResponse, signal: AbortSignal): Promise<Verdict>;
}

/** Authorization plugins, by the names that `authorization-plugins` lists. */
export const Authz1 = capability<AuthorizationPlugin>('authz/v1', 'many');

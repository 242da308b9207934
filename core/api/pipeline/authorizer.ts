import type { AuthorizationContext } from '@gantry/sdk';
import type { Wire } from '../doors/wire';

/** Where a request is about to go. */
export type Destination = Pick<AuthorizationContext, 'route' | 'subject'>;

/** What was answered. Streams and hijacked connections show no body. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | number>>;
  readonly body?: string | Buffer;
  /** The client has seen a part of the answer already: a refusal cannot take it back. */
  readonly isPartial?: boolean;
}

/** The authorization seam of the pipeline: both doors pass it, for every request, before anything else is looked at. */
export interface Authorizer {
  /** Who is asked, in order. When it is empty, `admit` is not called and requests cost nothing more. */
  readonly names: readonly string[];
  /**
   * Reads the body if it is to be shown, and asks. Who is asked about this request is settled here.
   *
   * @param describe  finds out where the request goes, for those who want to know; undefined when nowhere
   * @throws forbidden          refused
   * @throws system             somebody could not be asked, or the body is too large to be shown
   * @throws invalid-parameter  the body can be read in two ways, or not at all
   */
  admit(wire: Wire, describe: () => Promise<Destination | undefined>): Promise<Admission>;
}

/** A request that may run. */
export interface Admission {
  /** The body, when it was shown: the wire's own has been read. */
  readonly body: Buffer | undefined;
  /** Asks about the answer; once. @throws forbidden, system  it must not be sent */
  answer(answer: AnswerHead): Promise<void>;
  /**
   * Tells that the handler failed, unless an answer was asked about. The verdict does not count, and it never throws.
   *
   * @param headers  what every answer carries; the status of a failure is not told
   */
  failed(headers: AnswerHead['headers']): Promise<void>;
}

/** Lets everything pass: no authorization plugin is configured. */
export const allowAll: Authorizer = {
  names: [],
  admit: () => Promise.reject(new Error('nobody is to be asked')),
};

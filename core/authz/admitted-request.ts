import {
  type AuthorizationContext,
  type AuthorizationPlugin,
  type AuthorizationRequest,
  type AuthorizationResponse,
  errorMessage,
  forbidden,
  type Logger,
  systemError,
  type Verdict,
  withDeadline,
} from '@gantry/sdk';
import type { Admission, AnswerHead } from '../api/pipeline/authorizer';
import { isJsonType } from '../api/request/json-body';

/** The chain as it was when the request came. */
export type ChainSnapshot = readonly (readonly [name: string, plugin: AuthorizationPlugin])[];

const callTimeoutMs = 30_000;

/** One request and its answer, before the chain it came upon. */
export class AdmittedRequest implements Admission {
  private isAnswered = false;

  constructor(
    private readonly chain: ChainSnapshot,
    private readonly told: {
      readonly shown: AuthorizationRequest;
      /** For those who want it. */
      readonly context: AuthorizationContext | undefined;
    },
    private readonly options: {
      readonly showsBodies: boolean;
      /** Those that were disabled meanwhile, perhaps by this very request, are not shown its answer. */
      readonly hasLeft: (name: string) => boolean;
      readonly log: Logger;
    },
  ) {}

  get body(): Buffer | undefined {
    return this.told.shown.body;
  }

  /** @throws forbidden  the first refusal. @throws system  somebody gave no clear answer */
  async ask(): Promise<void> {
    await this.askEach('request', (plugin, signal) => plugin.request(this.shownTo(plugin), signal));
  }

  async answer(answer: AnswerHead): Promise<void> {
    this.isAnswered = true;
    const headers = asStrings(answer.headers);
    if (answer.isPartial) headers['X-Gantry-Response-Partial'] = 'true';
    await this.askAbout({ status: answer.status, headers, body: this.shownBody(answer) });
  }

  async failed(headers: AnswerHead['headers']): Promise<void> {
    if (this.isAnswered) return;
    this.isAnswered = true;
    try {
      await this.askAbout({ status: 0, headers: asStrings(headers), body: undefined });
    } catch (error) {
      this.options.log.debug('verdict about a failed request', { error: errorMessage(error) });
    }
  }

  private shownTo(plugin: AuthorizationPlugin): AuthorizationRequest {
    const { shown, context } = this.told;
    return plugin.wantsContext === true && context !== undefined ? { ...shown, context } : shown;
  }

  private askAbout(response: AuthorizationResponse): Promise<void> {
    return this.askEach('response', (plugin, signal) => plugin.response(this.shownTo(plugin), response, signal));
  }

  private shownBody({ headers, body }: AnswerHead): Buffer | undefined {
    const type = String(headers['Content-Type'] ?? '');
    if (body === undefined || body.length === 0 || !this.options.showsBodies || !isJsonType(type)) return undefined;
    return typeof body === 'string' ? Buffer.from(body) : body;
  }

  private async askEach(
    phase: 'request' | 'response',
    ask: (plugin: AuthorizationPlugin, signal: AbortSignal) => Promise<Verdict>,
  ): Promise<void> {
    for (const [name, plugin] of this.chain) {
      if (phase === 'response' && this.options.hasLeft(name)) continue;
      let verdict: Verdict;
      try {
        verdict = await withDeadline(`the ${phase} phase`, callTimeoutMs, (signal) => ask(plugin, signal));
        if (typeof verdict?.allow !== 'boolean') throw systemError('it gave no verdict');
      } catch (error) {
        throw systemError(`plugin ${name} failed with error: ${errorMessage(error)}`, error);
      }
      if (!verdict.allow) throw forbidden(`authorization denied by plugin ${name}: ${verdict.message}`);
    }
  }
}

const asStrings = (headers: AnswerHead['headers']): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));

import { join } from 'node:path';
import type { AuthorizationPlugin, AuthorizationRequest, AuthorizationResponse, Verdict } from '@gantry/sdk';
import { type ServedPlugin, serve } from '@gantry/sdk/serve';

/** A plugin on a socket that keeps what it was shown. */
export class Guard implements AuthorizationPlugin {
  readonly requests: AuthorizationRequest[] = [];
  readonly answers: (AuthorizationRequest & { readonly answer: AuthorizationResponse })[] = [];
  judge: (request: AuthorizationRequest) => Verdict = () => ({ allow: true });
  judgeAnswer: (request: AuthorizationRequest, answer: AuthorizationResponse) => Verdict = () => ({ allow: true });
  private served: ServedPlugin | undefined;

  constructor(
    readonly name: string,
    private readonly folder: string,
    readonly wantsContext = false,
  ) {}

  async serve(): Promise<void> {
    this.served = await serve({ drivers: { authorization: this }, socketPath: join(this.folder, `${this.name}.sock`) });
  }

  close = () => this.served?.close({ graceMs: 0 });

  reset(): void {
    this.requests.length = 0;
    this.answers.length = 0;
    this.judge = () => ({ allow: true });
    this.judgeAnswer = () => ({ allow: true });
  }

  async request(request: AuthorizationRequest): Promise<Verdict> {
    this.requests.push(request);
    return this.judge(request);
  }

  async response(request: AuthorizationRequest, answer: AuthorizationResponse): Promise<Verdict> {
    this.answers.push({ ...request, answer });
    return this.judgeAnswer(request, answer);
  }
}

/** A verdict against. */
export const refuse = (message: string): Verdict => ({ allow: false, message });

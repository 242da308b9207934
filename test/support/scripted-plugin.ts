import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';

/** What a plugin was asked, as it came over the wire. */
export interface PluginQuestion {
  /** `VolumeDriver.Create`. */
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** The body parsed; undefined when it is empty. */
  // biome-ignore lint/suspicious/noExplicitAny: bodies are judged by what the tests expect of them
  readonly body: any;
}

/** A body to answer with; a text is sent as it is. */
export type PluginWords = object | string;

/** `status` is 200 when absent. */
export class PluginAnswer {
  constructor(
    readonly words: PluginWords,
    readonly status = 200,
  ) {}
}

type Answer =
  | PluginWords
  | PluginAnswer
  | ((question: PluginQuestion) => PluginWords | PluginAnswer | Promise<PluginWords | PluginAnswer>);

/** A plugin without a library: what it says is what is written here, and every question is kept. */
export class ScriptedPlugin {
  readonly questions: PluginQuestion[] = [];
  private server: Server | undefined;

  /** @param script method → answer; `{}` for methods that are not in it */
  constructor(
    readonly socketPath: string,
    readonly kinds: readonly string[],
    public script: Record<string, Answer> = {},
  ) {}

  async listen(): Promise<void> {
    const server = createServer(async (request, response) => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      const text = Buffer.concat(parts).toString();
      const method = request.url!.slice(1);
      const question = { method, headers: request.headers, text, body: text === '' ? undefined : JSON.parse(text) };
      this.questions.push(question);
      const scripted = method === 'Plugin.Activate' ? { Implements: this.kinds } : (this.script[method] ?? {});
      const answer = await said(scripted, question);
      const { words, status } = answer instanceof PluginAnswer ? answer : new PluginAnswer(answer);
      response.writeHead(status).end(typeof words === 'string' ? words : JSON.stringify(words));
    });
    this.server = server;
    await new Promise<void>((listening) => server.listen(this.socketPath, listening));
  }

  async close(): Promise<void> {
    const { server } = this;
    server?.closeAllConnections();
    await new Promise((closed) => (server === undefined ? closed(undefined) : server.close(closed)));
  }

  /** What it was asked about these kinds of drivers, in order, without the handshake. */
  asked(...kinds: string[]): PluginQuestion[] {
    return this.questions.filter(
      ({ method }) => kinds.includes(method.split('.')[0]!) && !method.endsWith('Capabilities'),
    );
  }

  /** The bodies of the questions of one method. */
  bodies(method: string): PluginQuestion['body'][] {
    return this.questions.filter((question) => question.method === method).map(({ body }) => body);
  }

  reset(): void {
    this.questions.length = 0;
  }
}

async function said(scripted: Answer, question: PluginQuestion): Promise<PluginWords | PluginAnswer> {
  try {
    return typeof scripted === 'function' ? await scripted(question) : scripted;
  } catch (error) {
    return new PluginAnswer({ Err: `the script failed: ${error}` }, 500);
  }
}

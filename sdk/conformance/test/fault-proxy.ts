import { createServer, type IncomingHttpHeaders, request, type ServerResponse } from 'node:http';

export interface Asked {
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  /** undefined when it is empty. */
  readonly body: any;
}

/** Frames of a log are bytes. */
export interface Answer {
  readonly status: number;
  readonly text: string | Buffer;
}

/** What to do with a call. Undefined passes it on; an object or a text is a 200 answer; a number is a bare status. */
export type Fault = (asked: Asked, forward: () => Promise<Answer>, response: ServerResponse) => unknown;

/** The fault has answered, or not, by itself. */
export const taken = Symbol('taken');

/** Stands before a plugin and makes mistakes. */
export async function faultProxy(socketPath: string, target: string, fault: Fault): Promise<() => Promise<void>> {
  const server = createServer(async (incoming, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString('utf8');
    const method = incoming.url!.slice(1);
    const asked = { method, headers: incoming.headers, body: text === '' ? undefined : JSON.parse(text) };
    const pass = () => forward(target, method, text);
    const made = await fault(asked, pass, response);
    if (made === taken) return;
    if (typeof made === 'number') response.writeHead(made).end();
    else if (typeof made === 'string') response.writeHead(200).end(made);
    else if (made === undefined) pipeThrough(target, method, text, response);
    else if (isAnswer(made)) response.writeHead(made.status).end(made.text);
    else response.writeHead(200).end(JSON.stringify(made));
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return () =>
    new Promise((resolve) => {
      server.closeAllConnections();
      server.close(() => resolve());
    });
}

const isAnswer = (made: unknown): made is Answer =>
  typeof made === 'object' && made !== null && 'status' in made && 'text' in made;

/** As it comes: some answers last. */
function pipeThrough(socketPath: string, method: string, body: string, response: ServerResponse): void {
  const call = request({ socketPath, path: `/${method}`, method: 'POST', agent: false }, (answer) => {
    response.writeHead(answer.statusCode ?? 0).flushHeaders();
    answer.pipe(response);
  });
  response.on('close', () => call.destroy());
  call.on('error', () => response.destroy());
  call.end(body);
}

function forward(socketPath: string, method: string, body: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path: `/${method}`, method: 'POST', agent: false }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks) }));
    });
    call.on('error', reject);
    call.end(body);
  });
}

export const parsed = async (answer: Promise<Answer>): Promise<any> => JSON.parse((await answer).text.toString());

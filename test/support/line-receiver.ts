import { createServer, type Socket } from 'node:net';

/** A TCP server that counts lines, and reads when it is told to. */
export class LineReceiver {
  private readonly sockets = new Set<Socket>();
  private readonly server = createServer((socket) => {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket)).on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => this.count(chunk));
    if (!this.isReading) socket.pause();
  });
  private isReading = true;
  lines = 0;

  private count(chunk: Buffer): void {
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) this.lines++;
  }

  /** @param port the one of an earlier receiver; absent: any */
  async listen(port = 0): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve));
    return `tcp://127.0.0.1:${(this.server.address() as { port: number }).port}`;
  }

  pause(): void {
    this.isReading = false;
    for (const socket of this.sockets) socket.pause();
  }

  resume(): void {
    this.isReading = true;
    for (const socket of this.sockets) socket.resume();
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

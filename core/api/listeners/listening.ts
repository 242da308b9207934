import type { Server } from 'node:net';
import { systemError } from '@gantry/sdk';

/** Starts listening and waits until it is so. @throws system  the address cannot be used; the message names it */
export function listening(server: Server, start: () => void, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error) => {
      server.off('listening', onListening);
      reject(systemError(`cannot listen on ${address}: ${error.message}`, error));
    };
    const onListening = () => {
      server.off('error', onError);
      resolve();
    };
    server.once('error', onError);
    server.once('listening', onListening);
    start();
  });
}

import type { LogDriver, Logger, LogWriter } from '@gantry/sdk';
import { messagesOf } from '@gantry/sdk/log-drivers';
import { BatchDelivery } from '@gantry/sdk/log-sinks';
import { eventEncoder } from './event-encoder';
import { ForwardClient } from './forward-client';
import { parseOptions } from './options';

/** What is still buffered when a container ends has this long to get out. */
const DRAIN_MS = 5_000;
const CLOSE_MS = 500;

/** The driver `fluentd`: each line an event of the forward protocol. */
export function makeFluentdDriver(log: Logger): LogDriver {
  return {
    validate(options) {
      parseOptions(options);
    },

    async open(info): Promise<LogWriter> {
      const options = parseOptions(info.options);
      const encode = eventEncoder(info, options);
      const client = await ForwardClient.open(options);
      let bufferedBytes = 0;
      let dropped = 0;
      const underWay = new Set<Promise<void>>();

      const sendAside = (line: Buffer, send: () => Promise<void>): void => {
        if (bufferedBytes + line.length > options.bufferBytes && bufferedBytes > 0) {
          dropped++;
          return;
        }
        bufferedBytes += line.length;
        const sent = send()
          .catch(() => {
            dropped++;
          })
          .finally(() => {
            bufferedBytes -= line.length;
            underWay.delete(sent);
          });
        underWay.add(sent);
      };

      return {
        write(batch) {
          const delivery = new BatchDelivery(batch);
          for (const line of messagesOf(batch)) {
            const event = encode(line, batch);
            if (options.isAsync) sendAside(line, () => client.send(event));
            else delivery.track(line, () => client.send(event));
          }
          return delivery.done();
        },
        get isAway() {
          return !options.isAsync && client.isAway;
        },
        async flush() {},
        async close() {
          await Promise.race([Promise.all(underWay), pause(DRAIN_MS)]);
          await client.close();
          // What is left fails now, and is counted.
          await Promise.race([Promise.all(underWay), pause(CLOSE_MS)]);
          if (dropped > 0) log.warn('log messages did not reach fluentd', { container: info.containerId, dropped });
        },
      };
    },
  };
}

const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms).unref());

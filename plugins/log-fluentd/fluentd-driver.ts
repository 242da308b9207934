import type { LogDriver, Logger, LogWriter } from '@gantry/sdk';
import { messagesOf } from '@gantry/sdk/log-drivers';
import { BatchDelivery } from '@gantry/sdk/log-sinks';
import { eventEncoder } from './event-encoder';
import { ForwardClient } from './forward-client';
import { parseOptions } from './options';

/** A slow receiver is told of this often at most. */
const REPORT_MS = 10_000;

/** The driver `fluentd`: each line an event of the forward protocol. */
export function makeFluentdDriver(log: Logger): LogDriver {
  return {
    validate(options) {
      parseOptions(options);
    },

    async open(info): Promise<LogWriter> {
      const options = parseOptions(info.options);
      const encode = eventEncoder(info, options);
      let reportedAt = Number.NEGATIVE_INFINITY;
      const client = await ForwardClient.open(options, () => {
        if (performance.now() - reportedAt < REPORT_MS) return;
        reportedAt = performance.now();
        log.warn('fluentd did not take a log message within fluentd-write-timeout, it is sent again', {
          container: info.containerId,
          timeoutMs: options.writeTimeoutMs,
        });
      });
      return {
        ...(options.isAsync ? { asideBytes: options.bufferBytes } : {}),
        write(batch) {
          const delivery = new BatchDelivery(batch);
          for (const line of messagesOf(batch)) delivery.track(line, () => client.send(encode(line, batch)));
          return delivery.done();
        },
        get isAway() {
          return client.isAway;
        },
        async takeBack() {
          // The writes that wait reject with what did not go out.
          client.giveUp();
          return [];
        },
        async flush() {},
        close: () => client.close(),
      };
    },
  };
}

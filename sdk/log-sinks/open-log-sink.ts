import { openUdpSink, openUnixDatagramSink } from './datagram-sink';
import type { LogSink, LogTarget } from './log-sink';
import { StreamSink, type StreamSinkOptions } from './stream-sink';

/**
 * Opens the way to a log back end.
 *
 * @throws unavailable naming the target, when it cannot be reached (nobody can tell with datagrams over a network)
 */
export async function openLogSink(target: LogTarget, options: StreamSinkOptions): Promise<LogSink> {
  if (target.scheme === 'udp') return openUdpSink(target.host, target.port);
  if (target.scheme === 'unixgram') return openUnixDatagramSink(target.path);
  return StreamSink.open(target, options);
}

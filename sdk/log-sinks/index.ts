export * from './datagram-sink';
export * from './log-sink';
export * from './message-writer';
export * from './open-log-sink';
export * from './stream-sink';

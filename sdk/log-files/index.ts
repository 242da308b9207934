export * from './file-log-driver';
export * from './length-framing';
export * from './line-framing';
export * from './log-format';
export * from './read-log';
export * from './rotated-files';
export * from './rotating-log';

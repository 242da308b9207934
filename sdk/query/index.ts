export * from './byte-size';
export * from './filters';

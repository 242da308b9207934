export * from './exact-number';
export * from './parse-json';

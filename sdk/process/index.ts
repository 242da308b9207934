export * from './run-program';

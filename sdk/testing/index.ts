export * from './fake-clock';
export * from './temporary-directory';
export * from './test-daemon';

export * from './engine-error';

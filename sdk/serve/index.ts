export { type ServedPlugin, type ServeOptions, serve } from './serve';

// Reads paths of playlists from standard input; prints what hls-parser in strict mode finds, as JSON lines.
// Usage: node strict_playlists.mjs FOLDER_OF_HLS_PARSER < list
import {readFileSync} from 'node:fs';
import {pathToFileURL} from 'node:url';
import {createRequire} from 'node:module';

const require = createRequire(pathToFileURL(process.argv[2] + '/'));
const HLS = require('hls-parser');
HLS.setOptions({strictMode: true});
for (const path of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  let error = null;
  try {
    HLS.parse(readFileSync(path, 'utf8'));
  } catch (caught) {
    error = String(caught.message ?? caught);
  }
  console.log(JSON.stringify({path, error}));
}

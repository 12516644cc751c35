// `npm run openapi`: writes openapi.json. With `--check`: fails when the committed document is not what the code says.
import { keepGenerated } from './generated-file.mjs';

keepGenerated({
  file: 'openapi.json',
  command: 'openapi',
  script: 'openapi',
  describe: (text) => {
    const paths = Object.keys(JSON.parse(text).paths ?? {}).length;
    return paths > 0 ? `${paths} paths` : undefined;
  },
});

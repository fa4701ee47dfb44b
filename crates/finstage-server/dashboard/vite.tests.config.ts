import { defineConfig } from "vite";

// Bundles the tests for Node's own runner, which needs no further dependency.
export default defineConfig({
  publicDir: false,
  build: {
    ssr: true,
    target: "node20",
    outDir: ".tests",
    emptyOutDir: true,
    rollupOptions: {
      input: ["tests/words.test.ts", "tests/format.test.ts", "tests/line.test.ts", "tests/inbox.test.ts", "tests/told.test.ts"],
      output: { entryFileNames: "[name].mjs" },
    },
  },
});

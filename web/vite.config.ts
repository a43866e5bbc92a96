import { defineConfig } from "vite";

export default defineConfig({
  // page routes such as /images/ID are deeper than the root, so addresses of assets must be absolute
  base: "/",
  build: {
    outDir: "../src/coverslip/web_dist",
    emptyOutDir: true,
    target: "es2023",
    // the colours of both themes are written with light-dark()
    cssTarget: ["chrome123", "firefox120", "safari17.5"],
    // no data: addresses and no inlined script: a strict content security policy stays possible
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": "http://127.0.0.1:8000" } },
});

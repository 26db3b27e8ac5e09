{
  "target_defaults": {
    "cflags": ["-Wall", "-Wextra", "-Werror", "-fstack-protector-strong"],
    "cflags_cc": ["-std=c++17", "-fno-exceptions"],
    "cflags_cc!": ["-std=gnu++17", "-std=gnu++20", "-fexceptions"],
    "cflags!": ["-Wno-unused-parameter"]
  },
  "variables": {
    # The static archive of libdeflate, where there is one: build-addon.mjs says so.
    "libdeflate%": ""
  },
  "targets": [
    {
      "target_name": "addon",
      "sources": ["<!@(ls src/addon/*.cc)"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      # A thread that waits for a lock may outlive the worker thread whose end would otherwise unload its code.
      "ldflags": ["-Wl,-z,nodelete"],
      "defines": ["NAPI_VERSION=8", "NODE_ADDON_API_DISABLE_DEPRECATED", "NAPI_DISABLE_CPP_EXCEPTIONS"],
      "conditions": [
        ["libdeflate!=''", {
          "defines": ["TSBUILD_LIBDEFLATE"],
          "libraries": ["<(libdeflate)"],
          # Another addon of the process may carry another version of it.
          "ldflags": ["-Wl,--exclude-libs,ALL"]
        }, {
          "sources!": ["src/addon/gzip-file.cc"]
        }]
      ]
    },
    {
      "target_name": "tsb-init",
      "type": "executable",
      "product_extension": "",
      "sources": ["<!@(ls src/init/*.cc)"],
      "cflags": ["-fPIE"],
      "ldflags": ["-static-pie"]
    }
  ]
}

# A facade for people who call node-gyp themselves: the build is native/CMakeLists.txt, driven by cmake-js.
{
  "targets": [
    {
      "target_name": "keelson_cmake",
      "type": "none",
      "actions": [
        {
          "action_name": "cmake_js",
          "inputs": ["native/CMakeLists.txt"],
          "outputs": ["<(PRODUCT_DIR)/keelson.stamp"],
          "action": ["node", "node_modules/cmake-js/bin/cmake-js", "compile", "-d", "native", "--out", "build/cmake"],
        }
      ],
    }
  ]
}

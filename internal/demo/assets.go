package demo

import (
	_ "embed"
)

// The demo's model and photograph; assets/NOTICE says where they come from.
var (
	//go:embed assets/blazeface-front.onnx
	modelFile []byte
	//go:embed assets/astronaut.jpg
	photoFile []byte
)

// modelName is what the demo pushes the model as.
const modelName = "blazeface-front"

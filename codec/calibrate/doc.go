// Package calibrate measures what each codec does to a model: bytes, time and error for every value that a legal cut can
// cross, and what the model's answer makes of it.
//
// It runs real inputs. Half of the samples fit the tables of the uniform codec, the other half judge; every codec of a
// ladder is applied to one value at a time while the values beside it on the cut stay exact, and the rest of the model
// runs on what was decoded. The result is a File that stands beside the model and that planners read.
package calibrate

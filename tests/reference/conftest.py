from kerasdenoise.runtime import prepare_keras

prepare_keras()

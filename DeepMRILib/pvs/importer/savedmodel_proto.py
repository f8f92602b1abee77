"""What of a SavedModel's messages is read: the field numbers of TensorFlow's .proto files (tensorflow/core)."""

from __future__ import annotations

from DeepMRILib.pvs.importer.wire import schema

SAVED_MODEL = schema(
    {
        "SavedModel": "2 meta_graphs bytes*",
        "MetaGraph": "1 info MetaInfo, 2 graph GraphDef, 3 saver SaverDef, 5 signatures Signature{}, 7 objects bytes",
        "MetaInfo": "2 ops OpList, 4 tags str*, 5 version str",
        # Of a meta graph that is not used, only the tags are decoded.
        "MetaTags": "1 info Tags",
        "Tags": "4 tags str*",
        "Signature": "1 inputs TensorInfo{}, 2 outputs TensorInfo{}, 3 method str",
        "TensorInfo": "1 name str, 2 dtype int, 3 shape Shape",
        "SaverDef": "1 filename str, 2 save str, 3 restore str",
        "GraphDef": "1 node NodeDef*, 2 library Library",
        # A library may hold hundreds of functions; two or three are called.
        "Library": "1 function bytes*",
        "FunctionHead": "1 signature OpName",
        "OpName": "1 name str",
        "FunctionDef": "1 signature OpDef, 3 node NodeDef*, 4 ret str{}",
        "NodeDef": "1 name str, 2 op str, 3 input str*, 5 attr AttrValue{}",
        "OpList": "1 op OpDef*",
        "OpDef": "1 name str, 2 input_arg ArgDef*, 3 output_arg ArgDef*, 4 attr AttrDef*",
        "ArgDef": "1 name str, 3 type int, 4 type_attr str, 5 number_attr str, 6 type_list_attr str",
        "AttrDef": "1 name str, 2 type str, 3 default AttrValue",
        "AttrValue": "1 list ListValue, 2 s bytes, 3 i int, 4 f float, 5 b int, 6 type int, 7 shape Shape, "
        "8 tensor TensorProto, 10 func Func",
        "ListValue": "2 s bytes*, 3 i int*, 4 f float*, 5 b int*, 6 type int*, 7 shape Shape*",
        "Func": "1 name str",
        "Shape": "2 dim Dim*, 3 unknown_rank int",
        "Dim": "1 size int",
        "TensorProto": "1 dtype int, 2 shape Shape, 4 content bytes, 5 floats float*, 6 doubles double*, 7 ints int*, "
        "8 strings bytes*, 10 longs int*, 11 bools int*, 13 halves int*, 16 uints int*, 17 ulongs int*",
        "ObjectGraph": "1 nodes Object*, 2 functions BoundFunction{}",
        "Object": "7 variable Variable",
        "Variable": "1 dtype int",
        "BoundFunction": "2 bound int*",
        "Trackables": "1 nodes Trackable*",
        "Trackable": "2 attributes Attribute*",
        "Attribute": "1 name str, 3 key str",
    }
)

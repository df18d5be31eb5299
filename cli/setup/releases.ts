/**
 * A wheel that Herd knows: Python wheels carry TensorFlow's C library and its headers, or CUDA's libraries.
 * The checksums are pinned here, so that a file from a mirror, a proxy or a colleague's disk is either the
 * very file that was tested, or refused.
 */
export interface WheelPin {
  /** Name of the project, as pip knows it. */
  project: string
  version: string
  /** Name of the file that `pip download` writes. */
  fileName: string
  /** SHA-256 of the file, hexadecimal. */
  sha256: string
  /** Size of the file in bytes. */
  bytes: number
  /** Entries of the archive that are kept: those whose path starts with one of these. */
  keep: string[]
}

export interface NativeRelease {
  /** npm package that computes with TensorFlow's library. */
  npmPackage: '@tensorflow/tfjs-node' | '@tensorflow/tfjs-node-gpu'
  /** Version of TensorFlow. */
  tensorflow: string
  /** Machine part of the wheels' platform tags. */
  machine: 'x86_64' | 'aarch64'
  /** Wheels, of which the first holds TensorFlow and the others the libraries that it loads at run time (CUDA). */
  wheels: WheelPin[]
}

export type Variant = 'cpu' | 'gpu'

/** The build for a platform ("linux-x64") and variant; undefined if none has been pinned. */
export function releaseFor(platform: string, variant: Variant): NativeRelease | undefined {
  return RELEASES[`${platform}-${variant}`]
}

/** The npm package of a variant. */
export function npmPackageOf(variant: Variant): NativeRelease['npmPackage'] {
  return variant === 'gpu' ? '@tensorflow/tfjs-node-gpu' : '@tensorflow/tfjs-node'
}

/** Arguments with which pip chooses the same wheel whatever Python is installed here. */
export function pipTags(release: NativeRelease): string[] {
  return [
    ...['--platform', `manylinux_2_17_${release.machine}`, '--platform', `manylinux2014_${release.machine}`],
    ...['--implementation', 'cp', '--python-version', '3.11', '--abi', 'cp311', '--abi', 'none'],
  ]
}

/** TensorFlow's two libraries, and the headers that tfjs-node's addon includes, directly or not. */
const TENSORFLOW_KEEP = [
  'tensorflow/libtensorflow_cc.so.2',
  'tensorflow/libtensorflow_framework.so.2',
  'tensorflow/include/tensorflow/c/',
  'tensorflow/include/tensorflow/core/platform/',
  'tensorflow/include/tsl/platform/',
  'tensorflow/include/xla/tsl/c/',
]

function nvidia(name: string, version: string, bytes: number, sha256: string, folders = [`${name}/lib/`]): WheelPin {
  const project = `nvidia-${name.replaceAll('_', '-')}-cu12`
  const fileName = `nvidia_${name}_cu12-${version}-py3-none-manylinux2014_x86_64.whl`
  return { project, version, fileName, sha256, bytes, keep: folders.map((folder) => `nvidia/${folder}`) }
}

const RELEASES: Record<string, NativeRelease> = {
  'linux-x64-cpu': {
    npmPackage: '@tensorflow/tfjs-node',
    tensorflow: '2.18.1',
    machine: 'x86_64',
    wheels: [
      {
        project: 'tensorflow-cpu',
        version: '2.18.1',
        fileName: 'tensorflow_cpu-2.18.1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl',
        sha256: '810c75d7149d2da0cb2092187817b0dcabb80728ca9f9cf3a61f3f42fadd1298',
        bytes: 230_236_181,
        keep: TENSORFLOW_KEEP,
      },
    ],
  },
  'linux-arm64-cpu': {
    npmPackage: '@tensorflow/tfjs-node',
    tensorflow: '2.18.1',
    machine: 'aarch64',
    wheels: [
      {
        project: 'tensorflow',
        version: '2.18.1',
        fileName: 'tensorflow-2.18.1-cp311-cp311-manylinux_2_17_aarch64.manylinux2014_aarch64.whl',
        sha256: '8a6485edd2148f70d011dbd1d8dc2c775e91774a5a159466e83d0d1f21580944',
        bytes: 231_937_898,
        keep: TENSORFLOW_KEEP,
      },
    ],
  },
  // CUDA 12.5 and cuDNN 9.3, as this wheel's own metadata pins them under its extra "and-cuda".
  'linux-x64-gpu': {
    npmPackage: '@tensorflow/tfjs-node-gpu',
    tensorflow: '2.18.1',
    machine: 'x86_64',
    wheels: [
      {
        project: 'tensorflow',
        version: '2.18.1',
        fileName: 'tensorflow-2.18.1-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl',
        sha256: 'c9f87e5d2a680a4595f5dc30daf6bbaec9d4129b46d7ef1b2af63c46ac7d2828',
        bytes: 615_510_377,
        keep: TENSORFLOW_KEEP,
      },
      nvidia('cublas', '12.5.3.2', 363_313_169, 'ca070ad70e9fa6654084575d01bd001f30cc4665e33d4bb9fc8e0f321caa034b'),
      nvidia('cuda_cupti', '12.5.82', 13_811_507, 'bde77a5feb66752ec61db2adfe47f56b941842825b4c7e2068aff27c9d107953'),
      nvidia('cuda_nvcc', '12.5.82', 22_468_537, 'b03e545b8e8c3ce7ebcd7fc44063180ff52ff01d064ece2127ed90a04ef12cd0', [
        'cuda_nvcc/bin/ptxas',
        'cuda_nvcc/nvvm/libdevice/',
      ]),
      nvidia('cuda_nvrtc', '12.5.82', 24_873_108, '3dbd97b0104b4bfbc3c4f8c79cd2496307c89c43c29a9f83125f1d76296ff3fd'),
      nvidia('cuda_runtime', '12.5.82', 895_707, '3e79a060e126df40fd3a068f3f787eb000fa51b251ec6cd97d09579632687115'),
      nvidia('cudnn', '9.3.0.75', 577_163_502, '9ad9c6929ebb5295eb4a1728024666d1c88283373e265a0c5c883e6f9d5cd76d'),
      nvidia('cufft', '11.2.3.61', 192_524_114, '9a6e8df162585750f61983a638104a48c756aa13f9f48e19ab079b38e3c828b8'),
      nvidia('curand', '10.3.6.82', 56_309_107, '2823fb27de4e44dbb22394a6adf53aa6e1b013aca0f8c22867d1cfae58405536'),
      nvidia('cusolver', '11.6.3.83', 130_341_232, '93cfafacde4428b71778eeb092ec615a02a3d05404da1bcf91c53e3fa1bce42b'),
      nvidia('cusparse', '12.5.1.3', 217_558_979, '016df8e993c437e8301e62739f01775cba988fd5253cd4c64173f8e8d2f8e752'),
      nvidia('nccl', '2.21.5', 188_654_414, '8579076d30a8c24988834445f8d633c697d42397e92ffc3f63fa26766d25e0a0'),
      nvidia('nvjitlink', '12.5.82', 21_298_879, 'f9b37bc5c8cf7509665cb6ada5aaa0ce65618f2332b7d3e78e9790511f111212'),
    ],
  },
}

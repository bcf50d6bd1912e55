define internal <16 x float> @sigmoid(<16 x float> %x) alwaysinline {
entry:
  %v1 = call <16 x float> @llvm.fabs.v16f32(<16 x float> %x)
  %v2 = fneg <16 x float> %v1
  %v3 = fcmp olt <16 x float> %v2, splat (float 0xC05A200000000000)
  %v4 = select <16 x i1> %v3, <16 x float> splat (float 0xC05A200000000000), <16 x float> %v2
  %v5 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v4, <16 x float> splat (float 0x3FF7154760000000), <16 x float> splat (float 0x4168000000000000))
  %v6 = fsub <16 x float> %v5, splat (float 0x4168000000000000)
  %v7 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v6, <16 x float> splat (float 0xBFE6300000000000), <16 x float> %v4)
  %v8 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v6, <16 x float> splat (float 0x3F2BD01060000000), <16 x float> %v7)
  %v9 = fsub <16 x float> %v7, %v8
  %v10 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v6, <16 x float> splat (float 0x3F2BD01060000000), <16 x float> %v9)
  %v11 = call <16 x float> @llvm.fma.v16f32(<16 x float> splat (float 0x3F2A01A020000000), <16 x float> %v8, <16 x float> splat (float 0x3F56C16C20000000))
  %v12 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v11, <16 x float> %v8, <16 x float> splat (float 0x3F81111120000000))
  %v13 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v12, <16 x float> %v8, <16 x float> splat (float 0x3FA5555560000000))
  %v14 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v13, <16 x float> %v8, <16 x float> splat (float 0x3FC5555560000000))
  %v15 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v14, <16 x float> %v8, <16 x float> splat (float 0x3FE0000000000000))
  %v16 = fmul <16 x float> %v8, %v8
  %v17 = fmul <16 x float> %v15, %v16
  %v18 = fadd <16 x float> %v8, %v17
  %v19 = fadd <16 x float> splat (float 0x3FF0000000000000), %v18
  %v20 = fadd <16 x float> %v6, splat (float 0x4168000000000000)
  %v21 = bitcast <16 x float> %v20 to <16 x i32>
  %v22 = bitcast <16 x float> splat (float 0x4168000000000000) to <16 x i32>
  %v23 = sub <16 x i32> %v21, %v22
  %v24 = ashr <16 x i32> %v23, splat (i32 1)
  %v25 = sub <16 x i32> %v23, %v24
  %v26 = add <16 x i32> %v24, splat (i32 127)
  %v27 = shl <16 x i32> %v26, splat (i32 23)
  %v28 = bitcast <16 x i32> %v27 to <16 x float>
  %v29 = fmul <16 x float> %v19, %v28
  %v30 = add <16 x i32> %v25, splat (i32 127)
  %v31 = shl <16 x i32> %v30, splat (i32 23)
  %v32 = bitcast <16 x i32> %v31 to <16 x float>
  %v33 = fmul <16 x float> %v29, %v32
  %v34 = fadd <16 x float> splat (float 0x3FF0000000000000), %v33
  %v35 = fdiv <16 x float> splat (float 0x3FF0000000000000), %v34
  %v36 = fmul <16 x float> %v33, %v35
  %v37 = fcmp olt <16 x float> %x, splat (float 0x0000000000000000)
  %v38 = select <16 x i1> %v37, <16 x float> %v36, <16 x float> %v35
  ret <16 x float> %v38
}

define internal <16 x float> @tanh(<16 x float> %x) alwaysinline {
entry:
  %v1 = call <16 x float> @llvm.fabs.v16f32(<16 x float> %x)
  %v2 = fcmp ogt <16 x float> %v1, splat (float 0x4023000000000000)
  %v3 = select <16 x i1> %v2, <16 x float> splat (float 0x4023000000000000), <16 x float> %v1
  %v4 = fadd <16 x float> %v3, %v3
  %v5 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v4, <16 x float> splat (float 0x3FF7154760000000), <16 x float> splat (float 0x4168000000000000))
  %v6 = fsub <16 x float> %v5, splat (float 0x4168000000000000)
  %v7 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v6, <16 x float> splat (float 0xBFE6300000000000), <16 x float> %v4)
  %v8 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v6, <16 x float> splat (float 0x3F2BD01060000000), <16 x float> %v7)
  %v9 = fsub <16 x float> %v7, %v8
  %v10 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v6, <16 x float> splat (float 0x3F2BD01060000000), <16 x float> %v9)
  %v11 = call <16 x float> @llvm.fma.v16f32(<16 x float> splat (float 0x3F2A01A020000000), <16 x float> %v8, <16 x float> splat (float 0x3F56C16C20000000))
  %v12 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v11, <16 x float> %v8, <16 x float> splat (float 0x3F81111120000000))
  %v13 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v12, <16 x float> %v8, <16 x float> splat (float 0x3FA5555560000000))
  %v14 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v13, <16 x float> %v8, <16 x float> splat (float 0x3FC5555560000000))
  %v15 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v14, <16 x float> %v8, <16 x float> splat (float 0x3FE0000000000000))
  %v16 = fmul <16 x float> %v8, %v8
  %v17 = fmul <16 x float> %v15, %v16
  %v18 = fadd <16 x float> %v17, %v10
  %v19 = fadd <16 x float> %v8, %v18
  %v20 = fsub <16 x float> %v19, %v8
  %v21 = fsub <16 x float> %v19, %v20
  %v22 = fsub <16 x float> %v8, %v21
  %v23 = fsub <16 x float> %v18, %v20
  %v24 = fadd <16 x float> %v22, %v23
  %v25 = fadd <16 x float> %v6, splat (float 0x4168000000000000)
  %v26 = bitcast <16 x float> %v25 to <16 x i32>
  %v27 = bitcast <16 x float> splat (float 0x4168000000000000) to <16 x i32>
  %v28 = sub <16 x i32> %v26, %v27
  %v29 = ashr <16 x i32> %v28, splat (i32 1)
  %v30 = sub <16 x i32> %v28, %v29
  %v31 = add <16 x i32> %v29, splat (i32 127)
  %v32 = shl <16 x i32> %v31, splat (i32 23)
  %v33 = bitcast <16 x i32> %v32 to <16 x float>
  %v34 = fmul <16 x float> splat (float 0x3FF0000000000000), %v33
  %v35 = add <16 x i32> %v30, splat (i32 127)
  %v36 = shl <16 x i32> %v35, splat (i32 23)
  %v37 = bitcast <16 x i32> %v36 to <16 x float>
  %v38 = fmul <16 x float> %v34, %v37
  %v39 = fadd <16 x float> %v38, splat (float 0xBFF0000000000000)
  %v40 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v19, <16 x float> %v38, <16 x float> %v39)
  %v41 = fsub <16 x float> %v39, %v40
  %v42 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v19, <16 x float> %v38, <16 x float> %v41)
  %v43 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v24, <16 x float> %v38, <16 x float> %v42)
  %v44 = fadd <16 x float> splat (float 0x4000000000000000), %v40
  %v45 = fsub <16 x float> %v44, splat (float 0x4000000000000000)
  %v46 = fsub <16 x float> %v44, %v45
  %v47 = fsub <16 x float> splat (float 0x4000000000000000), %v46
  %v48 = fsub <16 x float> %v40, %v45
  %v49 = fadd <16 x float> %v47, %v48
  %v50 = fdiv <16 x float> splat (float 0x3FF0000000000000), %v44
  %v51 = fmul <16 x float> %v40, %v50
  %v52 = fneg <16 x float> %v51
  %v53 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v52, <16 x float> %v44, <16 x float> %v40)
  %v54 = fadd <16 x float> %v53, %v43
  %v55 = fadd <16 x float> %v49, %v43
  %v56 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v52, <16 x float> %v55, <16 x float> %v54)
  %v57 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v56, <16 x float> %v50, <16 x float> %v51)
  %v58 = call <16 x float> @llvm.copysign.v16f32(<16 x float> %v57, <16 x float> %x)
  ret <16 x float> %v58
}

define internal void @tile_0_6(ptr %tile, ptr %bias, ptr %source0, ptr %pack0) noinline {
entry:
  %v1 = getelementptr inbounds float, ptr %bias, i64 0
  %v2 = load <16 x float>, ptr %v1, align 4
  %v3 = getelementptr inbounds float, ptr %bias, i64 16
  %v4 = load <16 x float>, ptr %v3, align 4
  %v5 = getelementptr inbounds float, ptr %bias, i64 32
  %v6 = load <16 x float>, ptr %v5, align 4
  %v7 = getelementptr inbounds float, ptr %bias, i64 48
  %v8 = load <16 x float>, ptr %v7, align 4
  br label %k.head9
k.head9:
  %k10 = phi i64 [0, %entry], [%v100, %k.body9]
  %k.c11 = phi <16 x float> [%v2, %entry], [%v51, %k.body9]
  %k.c12 = phi <16 x float> [%v4, %entry], [%v52, %k.body9]
  %k.c13 = phi <16 x float> [%v6, %entry], [%v53, %k.body9]
  %k.c14 = phi <16 x float> [%v8, %entry], [%v54, %k.body9]
  %k.c15 = phi <16 x float> [%v2, %entry], [%v60, %k.body9]
  %k.c16 = phi <16 x float> [%v4, %entry], [%v61, %k.body9]
  %k.c17 = phi <16 x float> [%v6, %entry], [%v62, %k.body9]
  %k.c18 = phi <16 x float> [%v8, %entry], [%v63, %k.body9]
  %k.c19 = phi <16 x float> [%v2, %entry], [%v69, %k.body9]
  %k.c20 = phi <16 x float> [%v4, %entry], [%v70, %k.body9]
  %k.c21 = phi <16 x float> [%v6, %entry], [%v71, %k.body9]
  %k.c22 = phi <16 x float> [%v8, %entry], [%v72, %k.body9]
  %k.c23 = phi <16 x float> [%v2, %entry], [%v78, %k.body9]
  %k.c24 = phi <16 x float> [%v4, %entry], [%v79, %k.body9]
  %k.c25 = phi <16 x float> [%v6, %entry], [%v80, %k.body9]
  %k.c26 = phi <16 x float> [%v8, %entry], [%v81, %k.body9]
  %k.c27 = phi <16 x float> [%v2, %entry], [%v87, %k.body9]
  %k.c28 = phi <16 x float> [%v4, %entry], [%v88, %k.body9]
  %k.c29 = phi <16 x float> [%v6, %entry], [%v89, %k.body9]
  %k.c30 = phi <16 x float> [%v8, %entry], [%v90, %k.body9]
  %k.c31 = phi <16 x float> [%v2, %entry], [%v96, %k.body9]
  %k.c32 = phi <16 x float> [%v4, %entry], [%v97, %k.body9]
  %k.c33 = phi <16 x float> [%v6, %entry], [%v98, %k.body9]
  %k.c34 = phi <16 x float> [%v8, %entry], [%v99, %k.body9]
  %v35 = icmp slt i64 %k10, 16
  br i1 %v35, label %k.body9, label %k.done9
k.body9:
  %v36 = mul nuw nsw i64 %k10, 64
  %v37 = getelementptr inbounds float, ptr %pack0, i64 %v36
  %v38 = getelementptr inbounds float, ptr %v37, i64 0
  %v39 = load <16 x float>, ptr %v38, align 4
  %v40 = getelementptr inbounds float, ptr %v37, i64 16
  %v41 = load <16 x float>, ptr %v40, align 4
  %v42 = getelementptr inbounds float, ptr %v37, i64 32
  %v43 = load <16 x float>, ptr %v42, align 4
  %v44 = getelementptr inbounds float, ptr %v37, i64 48
  %v45 = load <16 x float>, ptr %v44, align 4
  %v46 = getelementptr inbounds float, ptr %source0, i64 0
  %v47 = getelementptr inbounds float, ptr %v46, i64 %k10
  %v48 = load float, ptr %v47, align 4
  %v49 = insertelement <16 x float> poison, float %v48, i64 0
  %v50 = shufflevector <16 x float> %v49, <16 x float> poison, <16 x i32> zeroinitializer
  %v51 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v50, <16 x float> %v39, <16 x float> %k.c11)
  %v52 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v50, <16 x float> %v41, <16 x float> %k.c12)
  %v53 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v50, <16 x float> %v43, <16 x float> %k.c13)
  %v54 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v50, <16 x float> %v45, <16 x float> %k.c14)
  %v55 = getelementptr inbounds float, ptr %source0, i64 16
  %v56 = getelementptr inbounds float, ptr %v55, i64 %k10
  %v57 = load float, ptr %v56, align 4
  %v58 = insertelement <16 x float> poison, float %v57, i64 0
  %v59 = shufflevector <16 x float> %v58, <16 x float> poison, <16 x i32> zeroinitializer
  %v60 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v59, <16 x float> %v39, <16 x float> %k.c15)
  %v61 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v59, <16 x float> %v41, <16 x float> %k.c16)
  %v62 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v59, <16 x float> %v43, <16 x float> %k.c17)
  %v63 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v59, <16 x float> %v45, <16 x float> %k.c18)
  %v64 = getelementptr inbounds float, ptr %source0, i64 32
  %v65 = getelementptr inbounds float, ptr %v64, i64 %k10
  %v66 = load float, ptr %v65, align 4
  %v67 = insertelement <16 x float> poison, float %v66, i64 0
  %v68 = shufflevector <16 x float> %v67, <16 x float> poison, <16 x i32> zeroinitializer
  %v69 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v68, <16 x float> %v39, <16 x float> %k.c19)
  %v70 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v68, <16 x float> %v41, <16 x float> %k.c20)
  %v71 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v68, <16 x float> %v43, <16 x float> %k.c21)
  %v72 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v68, <16 x float> %v45, <16 x float> %k.c22)
  %v73 = getelementptr inbounds float, ptr %source0, i64 48
  %v74 = getelementptr inbounds float, ptr %v73, i64 %k10
  %v75 = load float, ptr %v74, align 4
  %v76 = insertelement <16 x float> poison, float %v75, i64 0
  %v77 = shufflevector <16 x float> %v76, <16 x float> poison, <16 x i32> zeroinitializer
  %v78 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v77, <16 x float> %v39, <16 x float> %k.c23)
  %v79 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v77, <16 x float> %v41, <16 x float> %k.c24)
  %v80 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v77, <16 x float> %v43, <16 x float> %k.c25)
  %v81 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v77, <16 x float> %v45, <16 x float> %k.c26)
  %v82 = getelementptr inbounds float, ptr %source0, i64 64
  %v83 = getelementptr inbounds float, ptr %v82, i64 %k10
  %v84 = load float, ptr %v83, align 4
  %v85 = insertelement <16 x float> poison, float %v84, i64 0
  %v86 = shufflevector <16 x float> %v85, <16 x float> poison, <16 x i32> zeroinitializer
  %v87 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v86, <16 x float> %v39, <16 x float> %k.c27)
  %v88 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v86, <16 x float> %v41, <16 x float> %k.c28)
  %v89 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v86, <16 x float> %v43, <16 x float> %k.c29)
  %v90 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v86, <16 x float> %v45, <16 x float> %k.c30)
  %v91 = getelementptr inbounds float, ptr %source0, i64 80
  %v92 = getelementptr inbounds float, ptr %v91, i64 %k10
  %v93 = load float, ptr %v92, align 4
  %v94 = insertelement <16 x float> poison, float %v93, i64 0
  %v95 = shufflevector <16 x float> %v94, <16 x float> poison, <16 x i32> zeroinitializer
  %v96 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v95, <16 x float> %v39, <16 x float> %k.c31)
  %v97 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v95, <16 x float> %v41, <16 x float> %k.c32)
  %v98 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v95, <16 x float> %v43, <16 x float> %k.c33)
  %v99 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v95, <16 x float> %v45, <16 x float> %k.c34)
  %v100 = add nsw i64 %k10, 1
  br label %k.head9
k.done9:
  %v101 = getelementptr inbounds float, ptr %tile, i64 0
  store <16 x float> %k.c11, ptr %v101, align 4
  %v102 = getelementptr inbounds float, ptr %tile, i64 16
  store <16 x float> %k.c12, ptr %v102, align 4
  %v103 = getelementptr inbounds float, ptr %tile, i64 32
  store <16 x float> %k.c13, ptr %v103, align 4
  %v104 = getelementptr inbounds float, ptr %tile, i64 48
  store <16 x float> %k.c14, ptr %v104, align 4
  %v105 = getelementptr inbounds float, ptr %tile, i64 64
  store <16 x float> %k.c15, ptr %v105, align 4
  %v106 = getelementptr inbounds float, ptr %tile, i64 80
  store <16 x float> %k.c16, ptr %v106, align 4
  %v107 = getelementptr inbounds float, ptr %tile, i64 96
  store <16 x float> %k.c17, ptr %v107, align 4
  %v108 = getelementptr inbounds float, ptr %tile, i64 112
  store <16 x float> %k.c18, ptr %v108, align 4
  %v109 = getelementptr inbounds float, ptr %tile, i64 128
  store <16 x float> %k.c19, ptr %v109, align 4
  %v110 = getelementptr inbounds float, ptr %tile, i64 144
  store <16 x float> %k.c20, ptr %v110, align 4
  %v111 = getelementptr inbounds float, ptr %tile, i64 160
  store <16 x float> %k.c21, ptr %v111, align 4
  %v112 = getelementptr inbounds float, ptr %tile, i64 176
  store <16 x float> %k.c22, ptr %v112, align 4
  %v113 = getelementptr inbounds float, ptr %tile, i64 192
  store <16 x float> %k.c23, ptr %v113, align 4
  %v114 = getelementptr inbounds float, ptr %tile, i64 208
  store <16 x float> %k.c24, ptr %v114, align 4
  %v115 = getelementptr inbounds float, ptr %tile, i64 224
  store <16 x float> %k.c25, ptr %v115, align 4
  %v116 = getelementptr inbounds float, ptr %tile, i64 240
  store <16 x float> %k.c26, ptr %v116, align 4
  %v117 = getelementptr inbounds float, ptr %tile, i64 256
  store <16 x float> %k.c27, ptr %v117, align 4
  %v118 = getelementptr inbounds float, ptr %tile, i64 272
  store <16 x float> %k.c28, ptr %v118, align 4
  %v119 = getelementptr inbounds float, ptr %tile, i64 288
  store <16 x float> %k.c29, ptr %v119, align 4
  %v120 = getelementptr inbounds float, ptr %tile, i64 304
  store <16 x float> %k.c30, ptr %v120, align 4
  %v121 = getelementptr inbounds float, ptr %tile, i64 320
  store <16 x float> %k.c31, ptr %v121, align 4
  %v122 = getelementptr inbounds float, ptr %tile, i64 336
  store <16 x float> %k.c32, ptr %v122, align 4
  %v123 = getelementptr inbounds float, ptr %tile, i64 352
  store <16 x float> %k.c33, ptr %v123, align 4
  %v124 = getelementptr inbounds float, ptr %tile, i64 368
  store <16 x float> %k.c34, ptr %v124, align 4
  ret void
}

define internal void @tile_0_4(ptr %tile, ptr %bias, ptr %source0, ptr %pack0) noinline {
entry:
  %v1 = getelementptr inbounds float, ptr %bias, i64 0
  %v2 = load <16 x float>, ptr %v1, align 4
  %v3 = getelementptr inbounds float, ptr %bias, i64 16
  %v4 = load <16 x float>, ptr %v3, align 4
  %v5 = getelementptr inbounds float, ptr %bias, i64 32
  %v6 = load <16 x float>, ptr %v5, align 4
  %v7 = getelementptr inbounds float, ptr %bias, i64 48
  %v8 = load <16 x float>, ptr %v7, align 4
  br label %k.head9
k.head9:
  %k10 = phi i64 [0, %entry], [%v74, %k.body9]
  %k.c11 = phi <16 x float> [%v2, %entry], [%v43, %k.body9]
  %k.c12 = phi <16 x float> [%v4, %entry], [%v44, %k.body9]
  %k.c13 = phi <16 x float> [%v6, %entry], [%v45, %k.body9]
  %k.c14 = phi <16 x float> [%v8, %entry], [%v46, %k.body9]
  %k.c15 = phi <16 x float> [%v2, %entry], [%v52, %k.body9]
  %k.c16 = phi <16 x float> [%v4, %entry], [%v53, %k.body9]
  %k.c17 = phi <16 x float> [%v6, %entry], [%v54, %k.body9]
  %k.c18 = phi <16 x float> [%v8, %entry], [%v55, %k.body9]
  %k.c19 = phi <16 x float> [%v2, %entry], [%v61, %k.body9]
  %k.c20 = phi <16 x float> [%v4, %entry], [%v62, %k.body9]
  %k.c21 = phi <16 x float> [%v6, %entry], [%v63, %k.body9]
  %k.c22 = phi <16 x float> [%v8, %entry], [%v64, %k.body9]
  %k.c23 = phi <16 x float> [%v2, %entry], [%v70, %k.body9]
  %k.c24 = phi <16 x float> [%v4, %entry], [%v71, %k.body9]
  %k.c25 = phi <16 x float> [%v6, %entry], [%v72, %k.body9]
  %k.c26 = phi <16 x float> [%v8, %entry], [%v73, %k.body9]
  %v27 = icmp slt i64 %k10, 16
  br i1 %v27, label %k.body9, label %k.done9
k.body9:
  %v28 = mul nuw nsw i64 %k10, 64
  %v29 = getelementptr inbounds float, ptr %pack0, i64 %v28
  %v30 = getelementptr inbounds float, ptr %v29, i64 0
  %v31 = load <16 x float>, ptr %v30, align 4
  %v32 = getelementptr inbounds float, ptr %v29, i64 16
  %v33 = load <16 x float>, ptr %v32, align 4
  %v34 = getelementptr inbounds float, ptr %v29, i64 32
  %v35 = load <16 x float>, ptr %v34, align 4
  %v36 = getelementptr inbounds float, ptr %v29, i64 48
  %v37 = load <16 x float>, ptr %v36, align 4
  %v38 = getelementptr inbounds float, ptr %source0, i64 0
  %v39 = getelementptr inbounds float, ptr %v38, i64 %k10
  %v40 = load float, ptr %v39, align 4
  %v41 = insertelement <16 x float> poison, float %v40, i64 0
  %v42 = shufflevector <16 x float> %v41, <16 x float> poison, <16 x i32> zeroinitializer
  %v43 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v42, <16 x float> %v31, <16 x float> %k.c11)
  %v44 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v42, <16 x float> %v33, <16 x float> %k.c12)
  %v45 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v42, <16 x float> %v35, <16 x float> %k.c13)
  %v46 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v42, <16 x float> %v37, <16 x float> %k.c14)
  %v47 = getelementptr inbounds float, ptr %source0, i64 16
  %v48 = getelementptr inbounds float, ptr %v47, i64 %k10
  %v49 = load float, ptr %v48, align 4
  %v50 = insertelement <16 x float> poison, float %v49, i64 0
  %v51 = shufflevector <16 x float> %v50, <16 x float> poison, <16 x i32> zeroinitializer
  %v52 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v51, <16 x float> %v31, <16 x float> %k.c15)
  %v53 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v51, <16 x float> %v33, <16 x float> %k.c16)
  %v54 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v51, <16 x float> %v35, <16 x float> %k.c17)
  %v55 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v51, <16 x float> %v37, <16 x float> %k.c18)
  %v56 = getelementptr inbounds float, ptr %source0, i64 32
  %v57 = getelementptr inbounds float, ptr %v56, i64 %k10
  %v58 = load float, ptr %v57, align 4
  %v59 = insertelement <16 x float> poison, float %v58, i64 0
  %v60 = shufflevector <16 x float> %v59, <16 x float> poison, <16 x i32> zeroinitializer
  %v61 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v60, <16 x float> %v31, <16 x float> %k.c19)
  %v62 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v60, <16 x float> %v33, <16 x float> %k.c20)
  %v63 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v60, <16 x float> %v35, <16 x float> %k.c21)
  %v64 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v60, <16 x float> %v37, <16 x float> %k.c22)
  %v65 = getelementptr inbounds float, ptr %source0, i64 48
  %v66 = getelementptr inbounds float, ptr %v65, i64 %k10
  %v67 = load float, ptr %v66, align 4
  %v68 = insertelement <16 x float> poison, float %v67, i64 0
  %v69 = shufflevector <16 x float> %v68, <16 x float> poison, <16 x i32> zeroinitializer
  %v70 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v69, <16 x float> %v31, <16 x float> %k.c23)
  %v71 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v69, <16 x float> %v33, <16 x float> %k.c24)
  %v72 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v69, <16 x float> %v35, <16 x float> %k.c25)
  %v73 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v69, <16 x float> %v37, <16 x float> %k.c26)
  %v74 = add nsw i64 %k10, 1
  br label %k.head9
k.done9:
  %v75 = getelementptr inbounds float, ptr %tile, i64 0
  store <16 x float> %k.c11, ptr %v75, align 4
  %v76 = getelementptr inbounds float, ptr %tile, i64 16
  store <16 x float> %k.c12, ptr %v76, align 4
  %v77 = getelementptr inbounds float, ptr %tile, i64 32
  store <16 x float> %k.c13, ptr %v77, align 4
  %v78 = getelementptr inbounds float, ptr %tile, i64 48
  store <16 x float> %k.c14, ptr %v78, align 4
  %v79 = getelementptr inbounds float, ptr %tile, i64 64
  store <16 x float> %k.c15, ptr %v79, align 4
  %v80 = getelementptr inbounds float, ptr %tile, i64 80
  store <16 x float> %k.c16, ptr %v80, align 4
  %v81 = getelementptr inbounds float, ptr %tile, i64 96
  store <16 x float> %k.c17, ptr %v81, align 4
  %v82 = getelementptr inbounds float, ptr %tile, i64 112
  store <16 x float> %k.c18, ptr %v82, align 4
  %v83 = getelementptr inbounds float, ptr %tile, i64 128
  store <16 x float> %k.c19, ptr %v83, align 4
  %v84 = getelementptr inbounds float, ptr %tile, i64 144
  store <16 x float> %k.c20, ptr %v84, align 4
  %v85 = getelementptr inbounds float, ptr %tile, i64 160
  store <16 x float> %k.c21, ptr %v85, align 4
  %v86 = getelementptr inbounds float, ptr %tile, i64 176
  store <16 x float> %k.c22, ptr %v86, align 4
  %v87 = getelementptr inbounds float, ptr %tile, i64 192
  store <16 x float> %k.c23, ptr %v87, align 4
  %v88 = getelementptr inbounds float, ptr %tile, i64 208
  store <16 x float> %k.c24, ptr %v88, align 4
  %v89 = getelementptr inbounds float, ptr %tile, i64 224
  store <16 x float> %k.c25, ptr %v89, align 4
  %v90 = getelementptr inbounds float, ptr %tile, i64 240
  store <16 x float> %k.c26, ptr %v90, align 4
  ret void
}

define internal void @tile_0_2(ptr %tile, ptr %bias, ptr %source0, ptr %pack0) noinline {
entry:
  %v1 = getelementptr inbounds float, ptr %bias, i64 0
  %v2 = load <16 x float>, ptr %v1, align 4
  %v3 = getelementptr inbounds float, ptr %bias, i64 16
  %v4 = load <16 x float>, ptr %v3, align 4
  %v5 = getelementptr inbounds float, ptr %bias, i64 32
  %v6 = load <16 x float>, ptr %v5, align 4
  %v7 = getelementptr inbounds float, ptr %bias, i64 48
  %v8 = load <16 x float>, ptr %v7, align 4
  br label %k.head9
k.head9:
  %k10 = phi i64 [0, %entry], [%v48, %k.body9]
  %k.c11 = phi <16 x float> [%v2, %entry], [%v35, %k.body9]
  %k.c12 = phi <16 x float> [%v4, %entry], [%v36, %k.body9]
  %k.c13 = phi <16 x float> [%v6, %entry], [%v37, %k.body9]
  %k.c14 = phi <16 x float> [%v8, %entry], [%v38, %k.body9]
  %k.c15 = phi <16 x float> [%v2, %entry], [%v44, %k.body9]
  %k.c16 = phi <16 x float> [%v4, %entry], [%v45, %k.body9]
  %k.c17 = phi <16 x float> [%v6, %entry], [%v46, %k.body9]
  %k.c18 = phi <16 x float> [%v8, %entry], [%v47, %k.body9]
  %v19 = icmp slt i64 %k10, 16
  br i1 %v19, label %k.body9, label %k.done9
k.body9:
  %v20 = mul nuw nsw i64 %k10, 64
  %v21 = getelementptr inbounds float, ptr %pack0, i64 %v20
  %v22 = getelementptr inbounds float, ptr %v21, i64 0
  %v23 = load <16 x float>, ptr %v22, align 4
  %v24 = getelementptr inbounds float, ptr %v21, i64 16
  %v25 = load <16 x float>, ptr %v24, align 4
  %v26 = getelementptr inbounds float, ptr %v21, i64 32
  %v27 = load <16 x float>, ptr %v26, align 4
  %v28 = getelementptr inbounds float, ptr %v21, i64 48
  %v29 = load <16 x float>, ptr %v28, align 4
  %v30 = getelementptr inbounds float, ptr %source0, i64 0
  %v31 = getelementptr inbounds float, ptr %v30, i64 %k10
  %v32 = load float, ptr %v31, align 4
  %v33 = insertelement <16 x float> poison, float %v32, i64 0
  %v34 = shufflevector <16 x float> %v33, <16 x float> poison, <16 x i32> zeroinitializer
  %v35 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v34, <16 x float> %v23, <16 x float> %k.c11)
  %v36 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v34, <16 x float> %v25, <16 x float> %k.c12)
  %v37 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v34, <16 x float> %v27, <16 x float> %k.c13)
  %v38 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v34, <16 x float> %v29, <16 x float> %k.c14)
  %v39 = getelementptr inbounds float, ptr %source0, i64 16
  %v40 = getelementptr inbounds float, ptr %v39, i64 %k10
  %v41 = load float, ptr %v40, align 4
  %v42 = insertelement <16 x float> poison, float %v41, i64 0
  %v43 = shufflevector <16 x float> %v42, <16 x float> poison, <16 x i32> zeroinitializer
  %v44 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v43, <16 x float> %v23, <16 x float> %k.c15)
  %v45 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v43, <16 x float> %v25, <16 x float> %k.c16)
  %v46 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v43, <16 x float> %v27, <16 x float> %k.c17)
  %v47 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v43, <16 x float> %v29, <16 x float> %k.c18)
  %v48 = add nsw i64 %k10, 1
  br label %k.head9
k.done9:
  %v49 = getelementptr inbounds float, ptr %tile, i64 0
  store <16 x float> %k.c11, ptr %v49, align 4
  %v50 = getelementptr inbounds float, ptr %tile, i64 16
  store <16 x float> %k.c12, ptr %v50, align 4
  %v51 = getelementptr inbounds float, ptr %tile, i64 32
  store <16 x float> %k.c13, ptr %v51, align 4
  %v52 = getelementptr inbounds float, ptr %tile, i64 48
  store <16 x float> %k.c14, ptr %v52, align 4
  %v53 = getelementptr inbounds float, ptr %tile, i64 64
  store <16 x float> %k.c15, ptr %v53, align 4
  %v54 = getelementptr inbounds float, ptr %tile, i64 80
  store <16 x float> %k.c16, ptr %v54, align 4
  %v55 = getelementptr inbounds float, ptr %tile, i64 96
  store <16 x float> %k.c17, ptr %v55, align 4
  %v56 = getelementptr inbounds float, ptr %tile, i64 112
  store <16 x float> %k.c18, ptr %v56, align 4
  ret void
}

define internal void @tile_0_1(ptr %tile, ptr %bias, ptr %source0, ptr %pack0) noinline {
entry:
  %v1 = getelementptr inbounds float, ptr %bias, i64 0
  %v2 = load <16 x float>, ptr %v1, align 4
  %v3 = getelementptr inbounds float, ptr %bias, i64 16
  %v4 = load <16 x float>, ptr %v3, align 4
  %v5 = getelementptr inbounds float, ptr %bias, i64 32
  %v6 = load <16 x float>, ptr %v5, align 4
  %v7 = getelementptr inbounds float, ptr %bias, i64 48
  %v8 = load <16 x float>, ptr %v7, align 4
  br label %k.head9
k.head9:
  %k10 = phi i64 [0, %entry], [%v35, %k.body9]
  %k.c11 = phi <16 x float> [%v2, %entry], [%v31, %k.body9]
  %k.c12 = phi <16 x float> [%v4, %entry], [%v32, %k.body9]
  %k.c13 = phi <16 x float> [%v6, %entry], [%v33, %k.body9]
  %k.c14 = phi <16 x float> [%v8, %entry], [%v34, %k.body9]
  %v15 = icmp slt i64 %k10, 16
  br i1 %v15, label %k.body9, label %k.done9
k.body9:
  %v16 = mul nuw nsw i64 %k10, 64
  %v17 = getelementptr inbounds float, ptr %pack0, i64 %v16
  %v18 = getelementptr inbounds float, ptr %v17, i64 0
  %v19 = load <16 x float>, ptr %v18, align 4
  %v20 = getelementptr inbounds float, ptr %v17, i64 16
  %v21 = load <16 x float>, ptr %v20, align 4
  %v22 = getelementptr inbounds float, ptr %v17, i64 32
  %v23 = load <16 x float>, ptr %v22, align 4
  %v24 = getelementptr inbounds float, ptr %v17, i64 48
  %v25 = load <16 x float>, ptr %v24, align 4
  %v26 = getelementptr inbounds float, ptr %source0, i64 0
  %v27 = getelementptr inbounds float, ptr %v26, i64 %k10
  %v28 = load float, ptr %v27, align 4
  %v29 = insertelement <16 x float> poison, float %v28, i64 0
  %v30 = shufflevector <16 x float> %v29, <16 x float> poison, <16 x i32> zeroinitializer
  %v31 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v30, <16 x float> %v19, <16 x float> %k.c11)
  %v32 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v30, <16 x float> %v21, <16 x float> %k.c12)
  %v33 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v30, <16 x float> %v23, <16 x float> %k.c13)
  %v34 = call <16 x float> @llvm.fma.v16f32(<16 x float> %v30, <16 x float> %v25, <16 x float> %k.c14)
  %v35 = add nsw i64 %k10, 1
  br label %k.head9
k.done9:
  %v36 = getelementptr inbounds float, ptr %tile, i64 0
  store <16 x float> %k.c11, ptr %v36, align 4
  %v37 = getelementptr inbounds float, ptr %tile, i64 16
  store <16 x float> %k.c12, ptr %v37, align 4
  %v38 = getelementptr inbounds float, ptr %tile, i64 32
  store <16 x float> %k.c13, ptr %v38, align 4
  %v39 = getelementptr inbounds float, ptr %tile, i64 48
  store <16 x float> %k.c14, ptr %v39, align 4
  ret void
}

define internal void @point_0(ptr %frame, ptr %tile, i64 %row, i64 %unit) noinline {
entry:
  br label %b.head1
b.head1:
  %b2 = phi i64 [0, %entry], [%v68, %b.body1]
  %v3 = icmp slt i64 %b2, 16
  br i1 %v3, label %b.body1, label %b.done1
b.body1:
  %v4 = add nsw i64 %unit, %b2
  %v5 = mul nsw i64 %b2, 4
  %v6 = getelementptr inbounds float, ptr %tile, i64 %v5
  %v7 = getelementptr inbounds float, ptr %v6, i64 0
  %v8 = load <16 x float>, ptr %v7, align 4
  %v9 = getelementptr inbounds float, ptr %v6, i64 16
  %v10 = load <16 x float>, ptr %v9, align 4
  %v11 = getelementptr inbounds float, ptr %v6, i64 32
  %v12 = load <16 x float>, ptr %v11, align 4
  %v13 = getelementptr inbounds float, ptr %v6, i64 48
  %v14 = load <16 x float>, ptr %v13, align 4
  %v15 = getelementptr inbounds ptr, ptr %frame, i64 1
  %v16 = load ptr, ptr %v15, align 8
  %v17 = mul nsw i64 %row, 64
  %v18 = getelementptr inbounds float, ptr %v16, i64 %v17
  %v19 = getelementptr inbounds float, ptr %v18, i64 %v4
  %v20 = load <16 x float>, ptr %v19, align 4
  %v21 = fadd <16 x float> %v20, %v14
  %v22 = call <16 x float> @sigmoid(<16 x float> %v21)
  %v23 = getelementptr inbounds ptr, ptr %frame, i64 2
  %v24 = load ptr, ptr %v23, align 8
  %v25 = mul nsw i64 %row, 64
  %v26 = getelementptr inbounds float, ptr %v24, i64 %v25
  %v27 = getelementptr inbounds float, ptr %v26, i64 %v4
  %v28 = load <16 x float>, ptr %v27, align 4
  %v29 = fadd <16 x float> %v28, %v10
  %v30 = call <16 x float> @sigmoid(<16 x float> %v29)
  %v31 = getelementptr inbounds ptr, ptr %frame, i64 3
  %v32 = load ptr, ptr %v31, align 8
  %v33 = mul nsw i64 %row, 16
  %v34 = getelementptr inbounds float, ptr %v32, i64 %v33
  %v35 = getelementptr inbounds float, ptr %v34, i64 %v4
  %v36 = load <16 x float>, ptr %v35, align 4
  %v37 = fmul <16 x float> %v30, %v36
  %v38 = getelementptr inbounds ptr, ptr %frame, i64 4
  %v39 = load ptr, ptr %v38, align 8
  %v40 = mul nsw i64 %row, 64
  %v41 = getelementptr inbounds float, ptr %v39, i64 %v40
  %v42 = getelementptr inbounds float, ptr %v41, i64 %v4
  %v43 = load <16 x float>, ptr %v42, align 4
  %v44 = fadd <16 x float> %v43, %v8
  %v45 = call <16 x float> @sigmoid(<16 x float> %v44)
  %v46 = getelementptr inbounds ptr, ptr %frame, i64 5
  %v47 = load ptr, ptr %v46, align 8
  %v48 = mul nsw i64 %row, 64
  %v49 = getelementptr inbounds float, ptr %v47, i64 %v48
  %v50 = getelementptr inbounds float, ptr %v49, i64 %v4
  %v51 = load <16 x float>, ptr %v50, align 4
  %v52 = fadd <16 x float> %v51, %v12
  %v53 = call <16 x float> @tanh(<16 x float> %v52)
  %v54 = fmul <16 x float> %v45, %v53
  %v55 = fadd <16 x float> %v37, %v54
  %v56 = call <16 x float> @tanh(<16 x float> %v55)
  %v57 = fmul <16 x float> %v22, %v56
  %v58 = getelementptr inbounds ptr, ptr %frame, i64 6
  %v59 = load ptr, ptr %v58, align 8
  %v60 = mul nsw i64 %row, 16
  %v61 = getelementptr inbounds float, ptr %v59, i64 %v60
  %v62 = getelementptr inbounds float, ptr %v61, i64 %v4
  store <16 x float> %v57, ptr %v62, align 4
  %v63 = getelementptr inbounds ptr, ptr %frame, i64 7
  %v64 = load ptr, ptr %v63, align 8
  %v65 = mul nsw i64 %row, 16
  %v66 = getelementptr inbounds float, ptr %v64, i64 %v65
  %v67 = getelementptr inbounds float, ptr %v66, i64 %v4
  store <16 x float> %v55, ptr %v67, align 4
  %v68 = add nsw i64 %b2, 16
  br label %b.head1
b.done1:
  ret void
}

define void @rows(ptr %arguments, i64 %begin, i64 %end, i64 %thread) {
entry:
  %v1 = alloca [384 x float], align 64
  %v2 = alloca [9 x ptr], align 8
  %v3 = load i64, ptr %arguments, align 8
  %v4 = getelementptr inbounds ptr, ptr %arguments, i64 1
  %v5 = load ptr, ptr %v4, align 8
  %v6 = getelementptr inbounds ptr, ptr %arguments, i64 2
  %v7 = load ptr, ptr %v6, align 8
  %v8 = getelementptr inbounds ptr, ptr %arguments, i64 4
  %v9 = load ptr, ptr %v8, align 8
  %v10 = getelementptr inbounds ptr, ptr %arguments, i64 6
  %v11 = load ptr, ptr %v10, align 8
  %v12 = getelementptr inbounds ptr, ptr %arguments, i64 8
  %v13 = load ptr, ptr %v12, align 8
  %v14 = getelementptr inbounds ptr, ptr %arguments, i64 10
  %v15 = load ptr, ptr %v14, align 8
  %v16 = getelementptr inbounds ptr, ptr %arguments, i64 12
  %v17 = load ptr, ptr %v16, align 8
  %v18 = getelementptr inbounds ptr, ptr %arguments, i64 14
  %v19 = load ptr, ptr %v18, align 8
  %v20 = getelementptr inbounds ptr, ptr %arguments, i64 16
  %v21 = load ptr, ptr %v20, align 8
  %v22 = getelementptr inbounds ptr, ptr %arguments, i64 3
  %v23 = load ptr, ptr %v22, align 8
  %v24 = getelementptr inbounds ptr, ptr %arguments, i64 5
  %v25 = load ptr, ptr %v24, align 8
  %v26 = getelementptr inbounds ptr, ptr %arguments, i64 7
  %v27 = load ptr, ptr %v26, align 8
  %v28 = getelementptr inbounds ptr, ptr %arguments, i64 9
  %v29 = load ptr, ptr %v28, align 8
  %v30 = getelementptr inbounds ptr, ptr %arguments, i64 11
  %v31 = load ptr, ptr %v30, align 8
  %v32 = getelementptr inbounds ptr, ptr %arguments, i64 13
  %v33 = load ptr, ptr %v32, align 8
  %v34 = getelementptr inbounds ptr, ptr %arguments, i64 15
  %v35 = load ptr, ptr %v34, align 8
  %v36 = getelementptr inbounds ptr, ptr %arguments, i64 17
  %v37 = load ptr, ptr %v36, align 8
  %v38 = getelementptr inbounds ptr, ptr %arguments, i64 18
  %v39 = load ptr, ptr %v38, align 8
  %v40 = getelementptr inbounds ptr, ptr %arguments, i64 19
  %v41 = load ptr, ptr %v40, align 8
  br label %t.head42
t.head42:
  %t43 = phi i64 [0, %entry], [%v154, %u.done89]
  %v44 = icmp slt i64 %t43, %v3
  br i1 %v44, label %t.body42, label %t.done42
t.body42:
  %v45 = getelementptr inbounds i64, ptr %v5, i64 %t43
  %v46 = load i64, ptr %v45, align 8
  %v47 = icmp slt i64 %v46, %end
  %v48 = select i1 %v47, i64 %v46, i64 %end
  %v49 = getelementptr inbounds i64, ptr %v23, i64 %t43
  %v50 = load i64, ptr %v49, align 8
  %v51 = mul nsw i64 %v50, 16
  %v52 = getelementptr inbounds float, ptr %v7, i64 %v51
  %v53 = getelementptr inbounds i64, ptr %v25, i64 %t43
  %v54 = load i64, ptr %v53, align 8
  %v55 = mul nsw i64 %v54, 64
  %v56 = getelementptr inbounds float, ptr %v9, i64 %v55
  %v57 = getelementptr inbounds i64, ptr %v27, i64 %t43
  %v58 = load i64, ptr %v57, align 8
  %v59 = mul nsw i64 %v58, 64
  %v60 = getelementptr inbounds float, ptr %v11, i64 %v59
  %v61 = getelementptr inbounds i64, ptr %v29, i64 %t43
  %v62 = load i64, ptr %v61, align 8
  %v63 = mul nsw i64 %v62, 16
  %v64 = getelementptr inbounds float, ptr %v13, i64 %v63
  %v65 = getelementptr inbounds i64, ptr %v31, i64 %t43
  %v66 = load i64, ptr %v65, align 8
  %v67 = mul nsw i64 %v66, 64
  %v68 = getelementptr inbounds float, ptr %v15, i64 %v67
  %v69 = getelementptr inbounds i64, ptr %v33, i64 %t43
  %v70 = load i64, ptr %v69, align 8
  %v71 = mul nsw i64 %v70, 64
  %v72 = getelementptr inbounds float, ptr %v17, i64 %v71
  %v73 = getelementptr inbounds i64, ptr %v35, i64 %t43
  %v74 = load i64, ptr %v73, align 8
  %v75 = mul nsw i64 %v74, 16
  %v76 = getelementptr inbounds float, ptr %v19, i64 %v75
  %v77 = getelementptr inbounds i64, ptr %v37, i64 %t43
  %v78 = load i64, ptr %v77, align 8
  %v79 = mul nsw i64 %v78, 16
  %v80 = getelementptr inbounds float, ptr %v21, i64 %v79
  %v81 = getelementptr inbounds ptr, ptr %v2, i64 0
  store ptr %v52, ptr %v81, align 8
  %v82 = getelementptr inbounds ptr, ptr %v2, i64 1
  store ptr %v56, ptr %v82, align 8
  %v83 = getelementptr inbounds ptr, ptr %v2, i64 2
  store ptr %v60, ptr %v83, align 8
  %v84 = getelementptr inbounds ptr, ptr %v2, i64 3
  store ptr %v64, ptr %v84, align 8
  %v85 = getelementptr inbounds ptr, ptr %v2, i64 4
  store ptr %v68, ptr %v85, align 8
  %v86 = getelementptr inbounds ptr, ptr %v2, i64 5
  store ptr %v72, ptr %v86, align 8
  %v87 = getelementptr inbounds ptr, ptr %v2, i64 6
  store ptr %v76, ptr %v87, align 8
  %v88 = getelementptr inbounds ptr, ptr %v2, i64 7
  store ptr %v80, ptr %v88, align 8
  br label %u.head89
u.head89:
  %u90 = phi i64 [0, %t.body42], [%v153, %r.done140]
  %v91 = icmp slt i64 %u90, 1
  br i1 %v91, label %u.body89, label %u.done89
u.body89:
  %v92 = mul nsw i64 %u90, 1024
  %v93 = getelementptr inbounds float, ptr %v39, i64 %v92
  %v94 = mul nsw i64 %u90, 64
  %v95 = getelementptr inbounds float, ptr %v41, i64 %v94
  %v96 = mul nsw i64 %u90, 16
  %v97 = sub nsw i64 %v48, 5
  br label %r.head98
r.head98:
  %r99 = phi i64 [%begin, %u.body89], [%v110, %q.done103]
  %v100 = icmp slt i64 %r99, %v97
  br i1 %v100, label %r.body98, label %r.done98
r.body98:
  %v101 = mul nsw i64 %r99, 16
  %v102 = getelementptr inbounds float, ptr %v52, i64 %v101
  call void @tile_0_6(ptr %v1, ptr %v95, ptr %v102, ptr %v93)
  br label %q.head103
q.head103:
  %q104 = phi i64 [0, %r.body98], [%v109, %q.body103]
  %v105 = icmp slt i64 %q104, 6
  br i1 %v105, label %q.body103, label %q.done103
q.body103:
  %v106 = add nsw i64 %r99, %q104
  %v107 = mul nsw i64 %q104, 64
  %v108 = getelementptr inbounds float, ptr %v1, i64 %v107
  call void @point_0(ptr %v2, ptr %v108, i64 %v106, i64 %v96)
  %v109 = add nsw i64 %q104, 1
  br label %q.head103
q.done103:
  %v110 = add nsw i64 %r99, 6
  br label %r.head98
r.done98:
  %v111 = sub nsw i64 %v48, 3
  br label %r.head112
r.head112:
  %r113 = phi i64 [%r99, %r.done98], [%v124, %q.done117]
  %v114 = icmp slt i64 %r113, %v111
  br i1 %v114, label %r.body112, label %r.done112
r.body112:
  %v115 = mul nsw i64 %r113, 16
  %v116 = getelementptr inbounds float, ptr %v52, i64 %v115
  call void @tile_0_4(ptr %v1, ptr %v95, ptr %v116, ptr %v93)
  br label %q.head117
q.head117:
  %q118 = phi i64 [0, %r.body112], [%v123, %q.body117]
  %v119 = icmp slt i64 %q118, 4
  br i1 %v119, label %q.body117, label %q.done117
q.body117:
  %v120 = add nsw i64 %r113, %q118
  %v121 = mul nsw i64 %q118, 64
  %v122 = getelementptr inbounds float, ptr %v1, i64 %v121
  call void @point_0(ptr %v2, ptr %v122, i64 %v120, i64 %v96)
  %v123 = add nsw i64 %q118, 1
  br label %q.head117
q.done117:
  %v124 = add nsw i64 %r113, 4
  br label %r.head112
r.done112:
  %v125 = sub nsw i64 %v48, 1
  br label %r.head126
r.head126:
  %r127 = phi i64 [%r113, %r.done112], [%v138, %q.done131]
  %v128 = icmp slt i64 %r127, %v125
  br i1 %v128, label %r.body126, label %r.done126
r.body126:
  %v129 = mul nsw i64 %r127, 16
  %v130 = getelementptr inbounds float, ptr %v52, i64 %v129
  call void @tile_0_2(ptr %v1, ptr %v95, ptr %v130, ptr %v93)
  br label %q.head131
q.head131:
  %q132 = phi i64 [0, %r.body126], [%v137, %q.body131]
  %v133 = icmp slt i64 %q132, 2
  br i1 %v133, label %q.body131, label %q.done131
q.body131:
  %v134 = add nsw i64 %r127, %q132
  %v135 = mul nsw i64 %q132, 64
  %v136 = getelementptr inbounds float, ptr %v1, i64 %v135
  call void @point_0(ptr %v2, ptr %v136, i64 %v134, i64 %v96)
  %v137 = add nsw i64 %q132, 1
  br label %q.head131
q.done131:
  %v138 = add nsw i64 %r127, 2
  br label %r.head126
r.done126:
  %v139 = sub nsw i64 %v48, 0
  br label %r.head140
r.head140:
  %r141 = phi i64 [%r127, %r.done126], [%v152, %q.done145]
  %v142 = icmp slt i64 %r141, %v139
  br i1 %v142, label %r.body140, label %r.done140
r.body140:
  %v143 = mul nsw i64 %r141, 16
  %v144 = getelementptr inbounds float, ptr %v52, i64 %v143
  call void @tile_0_1(ptr %v1, ptr %v95, ptr %v144, ptr %v93)
  br label %q.head145
q.head145:
  %q146 = phi i64 [0, %r.body140], [%v151, %q.body145]
  %v147 = icmp slt i64 %q146, 1
  br i1 %v147, label %q.body145, label %q.done145
q.body145:
  %v148 = add nsw i64 %r141, %q146
  %v149 = mul nsw i64 %q146, 64
  %v150 = getelementptr inbounds float, ptr %v1, i64 %v149
  call void @point_0(ptr %v2, ptr %v150, i64 %v148, i64 %v96)
  %v151 = add nsw i64 %q146, 1
  br label %q.head145
q.done145:
  %v152 = add nsw i64 %r141, 1
  br label %r.head140
r.done140:
  %v153 = add nsw i64 %u90, 1
  br label %u.head89
u.done89:
  %v154 = add nsw i64 %t43, 1
  br label %t.head42
t.done42:
  ret void
}

declare i32 @omp_get_thread_num()
declare i32 @omp_get_num_threads()

define void @threads(ptr %job) {
entry:
  %v1 = load ptr, ptr %job, align 8
  %v2 = getelementptr inbounds i64, ptr %job, i64 1
  %v3 = load i64, ptr %v2, align 8
  %v4 = call i32 @omp_get_thread_num()
  %v5 = sext i32 %v4 to i64
  %v6 = call i32 @omp_get_num_threads()
  %v7 = sext i32 %v6 to i64
  %v8 = add nsw i64 %v7, -1
  %v9 = add nsw i64 %v3, %v8
  %v10 = sdiv i64 %v9, %v7
  %v11 = mul nsw i64 %v5, %v10
  %v12 = add nsw i64 %v11, %v10
  %v13 = icmp sgt i64 %v12, %v3
  %v14 = select i1 %v13, i64 %v3, i64 %v12
  call void @rows(ptr %v1, i64 %v11, i64 %v14, i64 %v5)
  ret void
}
